//! Two keys, told apart for a person: each field in which they differ, with both values as JSON text.
//!
//! Invariant: what a value of a preimage means is said by `KEY.md`; bytes that follow no such rule are shown as hex, and
//! nothing given here panics.

use crate::key::{differing_fields, FieldDiff, KeyValue};
use crate::messages::{KeyDifference, KeyDifferences, KeyText};
use crate::value::{hex, Value};

/// The fields in which two preimages differ, in the order of their paths.
pub fn differences(old: &[u8], new: &[u8]) -> KeyDifferences {
    match differing_fields(old, new) {
        Ok(found) => KeyDifferences { differences: found.into_iter().map(to_message).collect(), is_comparable: true },
        Err(_) => KeyDifferences::default(),
    }
}

fn to_message(found: FieldDiff<'_>) -> KeyDifference {
    let (old, new) = (found.old.map(Shown::of), found.new.map(Shown::of));
    let tag = |side: &Option<Shown<'_>>| side.as_ref().and_then(|side| side.tag(&found.path));
    // The same text under two declared types is shown with the types: they are what differs.
    let wants_type = matches!((tag(&old), tag(&new)), (Some(old), Some(new)) if old != new);
    let show = |side: Option<Shown<'_>>| side.map(|side| side.to_text(&found.path, wants_type));
    let (old, new) = (show(old), show(new));
    KeyDifference { field: found.path, old, new }
}

/// A value of a preimage.
enum Shown<'a> {
    Inline(&'a [u8]),
    Digest(&'a [u8; 32]),
}

const PARAMETERS: &str = "inputs.parameters.";
/// By the numbers that KEY.md gives them.
const TYPES: [&str; 8] =
    ["", "STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT", "TASK_FINAL_STATUS"];

impl<'a> Shown<'a> {
    fn of(value: KeyValue<'a>) -> Self {
        match value {
            KeyValue::Inline(bytes) => Shown::Inline(bytes),
            KeyValue::Digest(digest) => Shown::Digest(digest),
        }
    }

    /// The declared type of an input parameter.
    fn tag(&self, path: &str) -> Option<&'static str> {
        match self {
            Shown::Inline([number, ..]) if path.starts_with(PARAMETERS) => TYPES.get(usize::from(*number)).copied(),
            _ => None,
        }
    }

    fn to_text(&self, path: &str, wants_type: bool) -> KeyText {
        match self {
            Shown::Digest(digest) => KeyText { digest: format!("sha256:{}", hex(*digest)), ..KeyText::default() },
            Shown::Inline(bytes) => {
                let json = read(path, bytes).unwrap_or_else(|| quoted(&hex(bytes)));
                let json = match self.tag(path).filter(|_| wants_type) {
                    Some(declared) => format!("{{\"type\":{},\"value\":{json}}}", quoted(declared)),
                    None => json,
                };
                KeyText { json, ..KeyText::default() }
            }
        }
    }
}

/// The value as JSON text; `None` where the bytes do not follow the specification.
fn read(path: &str, bytes: &[u8]) -> Option<String> {
    let mut rest = Bytes(bytes);
    let json = match path {
        "executor.args" | "executor.command" => {
            let count = rest.number()?;
            let texts: Option<Vec<String>> = (0..count).map(|_| rest.text().map(quoted)).collect();
            format!("[{}]", texts?.join(","))
        }
        "executor.metadata" => return std::str::from_utf8(bytes).ok().map(str::to_owned),
        _ if path.starts_with("inputs.artifacts.") => {
            let is_list = rest.byte()? == 1;
            let count = rest.number()?;
            let artifacts: Option<Vec<String>> = (0..count).map(|_| read_artifact(&mut rest)).collect();
            let artifacts = artifacts?.join(",");
            if is_list || count != 1 {
                format!("[{artifacts}]")
            } else {
                artifacts
            }
        }
        _ if path.starts_with(PARAMETERS) => {
            return bytes.split_first().and_then(|(_, json)| std::str::from_utf8(json).ok()).map(str::to_owned);
        }
        _ if path.starts_with("outputs.artifacts.") => {
            let is_list = rest.byte()? == 1;
            let title = std::str::from_utf8(rest.0).ok()?;
            return Some(format!("{{\"isList\":{is_list},\"schemaTitle\":{}}}", quoted(title)));
        }
        _ if path.starts_with("outputs.parameters.") => {
            return TYPES.get(usize::from(*bytes.first()?)).map(|declared| quoted(declared));
        }
        _ => return std::str::from_utf8(bytes).ok().map(quoted),
    };
    rest.0.is_empty().then_some(json)
}

fn read_artifact(rest: &mut Bytes<'_>) -> Option<String> {
    let mut members = Vec::new();
    for name in ["schemaTitle", "digest", "uri"] {
        let text = rest.text()?;
        if !text.is_empty() {
            members.push(format!("\"{name}\":{}", quoted(text)));
        }
    }
    let metadata = rest.text()?;
    if !metadata.is_empty() {
        members.push(format!("\"metadata\":{metadata}"));
    }
    Some(format!("{{{}}}", members.join(",")))
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_json()
}

/// Reads the parts of a value.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        let (text, rest) = self.0.split_at_checked(length as usize)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyArtifact, KeyBuilder};
    use crate::parameter::ParameterType;

    fn shown(old: &KeyBuilder, new: &KeyBuilder) -> Vec<(String, String, String)> {
        let found = differences(&old.clone().preimage(), &new.clone().preimage());
        assert!(found.is_comparable);
        let text = |side: Option<KeyText>| side.map_or_else(|| "-".to_owned(), |side| side.json + &side.digest);
        found.differences.into_iter().map(|each| (each.field, text(each.old), text(each.new))).collect()
    }

    fn one(old: KeyBuilder, new: KeyBuilder) -> (String, String) {
        let mut found = shown(&old, &new);
        assert_eq!(found.len(), 1, "{found:?}");
        let (_, old, new) = found.remove(0);
        (old, new)
    }

    fn parameter(declared: ParameterType, value: Value) -> KeyBuilder {
        let mut key = KeyBuilder::new();
        key.parameter("x", Some(declared), &value);
        key
    }

    #[test]
    fn a_value_is_shown_as_the_json_that_was_given() {
        use ParameterType as T;
        let text = |value: &str| parameter(T::String, Value::String(value.to_owned()));
        assert_eq!(one(text("a\"b"), text("ü")), ("\"a\\\"b\"".to_owned(), "\"ü\"".to_owned()));
        let list = |text: &str| parameter(T::List, Value::from_json(text).unwrap());
        assert_eq!(
            one(list("[1, 2]"), list("[2,9007199254740993]")),
            ("[1,2]".to_owned(), "[2,9007199254740993]".to_owned())
        );
        assert_eq!(one(KeyBuilder::new(), text("a")), ("-".to_owned(), "\"a\"".to_owned()));
    }

    #[test]
    fn the_same_text_under_two_types_is_shown_with_the_types() {
        let (old, new) = one(
            parameter(ParameterType::NumberInteger, Value::Int(1)),
            parameter(ParameterType::NumberDouble, Value::Int(1)),
        );
        assert_eq!(old, "{\"type\":\"NUMBER_INTEGER\",\"value\":1}");
        assert_eq!(new, "{\"type\":\"NUMBER_DOUBLE\",\"value\":1}");
    }

    #[test]
    fn commands_artifacts_and_outputs_are_shown_by_their_parts() {
        let container = |args: &[&str]| {
            let mut key = KeyBuilder::new();
            key.container("image", &["sh"], args);
            key
        };
        assert_eq!(one(container(&["-c", "1"]), container(&["-c", "2"])).1, "[\"-c\",\"2\"]");
        let artifact = |digest: &str, is_list: bool| {
            let mut key = KeyBuilder::new();
            let item = KeyArtifact { schema_title: "system.Model", digest, uri: "/m", ..KeyArtifact::default() };
            key.artifacts("m", is_list, &[item]);
            key
        };
        let (old, new) = one(artifact("sha256:a", false), artifact("", true));
        assert_eq!(old, "{\"schemaTitle\":\"system.Model\",\"digest\":\"sha256:a\"}");
        assert_eq!(new, "[{\"schemaTitle\":\"system.Model\",\"uri\":\"/m\"}]");
        let output = |title: &str| {
            let mut key = KeyBuilder::new();
            key.output_artifact("o", title, false);
            key
        };
        assert_eq!(one(output("a"), output("b")).0, "{\"isList\":false,\"schemaTitle\":\"a\"}");
    }

    #[test]
    fn a_long_value_is_told_by_its_digest_and_other_bytes_do_no_harm() {
        let text = |length: usize| parameter(ParameterType::String, Value::String("x".repeat(length)));
        let (old, new) = one(text(3), text(3000));
        assert_eq!((old.as_str(), new.len()), ("\"xxx\"", "sha256:".len() + 64));
        assert!(!differences(b"", &text(3).preimage()).is_comparable);
        let mut broken = crate::key::DOMAIN.to_vec();
        // A list of artifacts that says it holds four billion of them.
        broken.extend_from_slice(&[9, 1, 0, 0, 0, b'm', 5, 0, 0, 0, 1, 255, 255, 255, 255]);
        let found = differences(crate::key::DOMAIN, &broken);
        assert_eq!(found.differences.len(), 1);
        assert_eq!(found.differences[0].new.as_ref().unwrap().json, "\"01ffffffff\"");
    }
}
