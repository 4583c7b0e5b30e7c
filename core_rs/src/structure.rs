//! Arguments that are structures: `{"Concat": …}` and `{"IfPresent": …}`, nested at will.
//!
//! Invariant: an argument that is no well-formed structure is plain text, whatever it looks like.

use crate::value::Value;

/// An argument, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Structure {
    /// A text, which may hold placeholders.
    Text(String),
    /// Joined to one argument.
    Concat(Vec<Structure>),
    /// One of two, by whether the input is there.
    IfPresent {
        /// The input that is asked for.
        input: String,
        /// If it is there; a list of more than one only where several arguments are meant.
        then: Vec<Structure>,
        /// If it is not.
        otherwise: Vec<Structure>,
    },
}

impl Structure {
    /// The structure that an argument is; `None`: it is text.
    pub fn parse(argument: &str) -> Option<Structure> {
        let inside = argument.trim_start().strip_prefix('{')?.trim_start();
        if !inside.starts_with("\"Concat\"") && !inside.starts_with("\"IfPresent\"") {
            return None;
        }
        match Self::from_value(&Value::from_json(argument).ok()?)? {
            Structure::Text(_) => None,
            structure => Some(structure),
        }
    }

    fn from_value(value: &Value) -> Option<Structure> {
        if let Value::String(text) = value {
            return Some(Structure::Text(text.clone()));
        }
        let members = value.as_object()?;
        if members.len() != 1 {
            return None;
        }
        if let Some(parts) = value.get("Concat") {
            return Self::many(parts.as_list()?).map(Structure::Concat);
        }
        let parts = value.get("IfPresent")?;
        let input = parts.get("InputName")?.as_str()?.to_owned();
        let then = Self::branch(parts.get("Then")?)?;
        let otherwise = match parts.get("Else") {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => Self::branch(value)?,
        };
        let is_known = |key: &String| matches!(key.as_str(), "InputName" | "Then" | "Else");
        parts.as_object()?.keys().all(is_known).then_some(Structure::IfPresent { input, then, otherwise })
    }

    fn branch(value: &Value) -> Option<Vec<Structure>> {
        match value {
            Value::List(items) => Self::many(items),
            one => Self::from_value(one).map(|structure| vec![structure]),
        }
    }

    /// Nulls stand for what a compiler left out.
    fn many(values: &[Value]) -> Option<Vec<Structure>> {
        values.iter().filter(|value| !value.is_null()).map(Self::from_value).collect()
    }

    /// The arguments that it comes to, with the placeholders in their texts still unresolved.
    pub fn arguments(&self, is_present: &impl Fn(&str) -> bool) -> Vec<String> {
        match self {
            Structure::Text(text) => vec![text.clone()],
            Structure::Concat(parts) => {
                vec![parts.iter().flat_map(|part| part.arguments(is_present)).collect()]
            }
            Structure::IfPresent { input, then, otherwise } => {
                let branch = if is_present(input) { then } else { otherwise };
                branch.iter().flat_map(|part| part.arguments(is_present)).collect()
            }
        }
    }

    /// Calls `visit` with every text in it.
    pub fn texts(&self, visit: &mut impl FnMut(&str)) {
        match self {
            Structure::Text(text) => visit(text),
            Structure::Concat(parts) => parts.iter().for_each(|part| part.texts(visit)),
            Structure::IfPresent { then, otherwise, .. } => {
                then.iter().chain(otherwise).for_each(|part| part.texts(visit));
            }
        }
    }

    /// Calls `visit` with the name of every input that it asks for.
    pub fn asked_inputs(&self, visit: &mut impl FnMut(&str)) {
        match self {
            Structure::Text(_) => {}
            Structure::Concat(parts) => parts.iter().for_each(|part| part.asked_inputs(visit)),
            Structure::IfPresent { input, then, otherwise } => {
                visit(input);
                then.iter().chain(otherwise).for_each(|part| part.asked_inputs(visit));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(argument: &str) -> Option<Vec<String>> {
        Structure::parse(argument).map(|structure| structure.arguments(&|input: &str| input == "there"))
    }

    #[test]
    fn structures_come_to_arguments() {
        for (argument, expected) in [
            (r#"{"Concat": ["a", "b", null, {"Concat": ["c"]}]}"#, vec!["abc"]),
            (r#"{"IfPresent": {"InputName": "there", "Then": ["--x", "y"], "Else": ["n"]}}"#, vec!["--x", "y"]),
            (r#"{"IfPresent": {"InputName": "gone", "Then": ["--x", "y"], "Else": "n"}}"#, vec!["n"]),
            (r#"{"IfPresent": {"InputName": "gone", "Then": "x"}}"#, vec![]),
            (r#"{"IfPresent": {"InputName": "gone", "Then": "x", "Else": null}}"#, vec![]),
            (
                r#"{"IfPresent": {"InputName": "there", "Then": ["a", {"IfPresent": {"InputName": "there", "Then": ["b", {"Concat": ["c", "d"]}]}}]}}"#,
                vec!["a", "b", "cd"],
            ),
            (r#"{"Concat": ["a", {"IfPresent": {"InputName": "gone", "Then": "b"}}, "c"]}"#, vec!["ac"]),
            (r#"{"Concat": []}"#, vec![""]),
        ] {
            assert_eq!(arguments(argument), Some(expected.into_iter().map(str::to_owned).collect()), "{argument}");
        }
    }

    #[test]
    fn what_is_no_structure_is_text() {
        for argument in [
            "plain",
            "{\"Concat\": [1]}",
            "{\"Concat\": \"a\"}",
            "{\"Concat\": [], \"more\": 1}",
            "{\"IfPresent\": {\"Then\": \"a\"}}",
            "{\"IfPresent\": {\"InputName\": \"a\", \"Then\": \"a\", \"Other\": 1}}",
            "{\"Concat\": [",
            "{\"a\": {\"Concat\": []}}",
        ] {
            assert_eq!(arguments(argument), None, "{argument}");
        }
    }
}
