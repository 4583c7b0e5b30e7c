//! The placeholders `{{$…}}` in the texts of a pipeline: how they are found and what they name.
//!
//! Invariant: a text is cut into segments that, joined, are the text again. What looks like a placeholder but is none
//! that is known stays text, because commands hold source code of any kind.

mod constant;
mod identity;

pub use constant::{resolve_constant, ConstantError};
pub use identity::{identities_in_text, identities_in_value, resolve_identities, Identity, IdentityValues};

use std::collections::BTreeSet;

use crate::structure::Structure;

/// One kind of placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder<'a> {
    /// `{{$}}`: the whole executor input.
    ExecutorInput,
    /// `{{$.outputs.output_file}}`
    OutputFile,
    /// `{{$.inputs.parameters['x']}}`
    InputParameter(&'a str),
    /// `{{$.outputs.parameters['x'].output_file}}`
    OutputParameterFile(&'a str),
    /// `{{$.inputs.artifacts['x']…}}`
    InputArtifact(&'a str, ArtifactPart<'a>),
    /// `{{$.outputs.artifacts['x']…}}`
    OutputArtifact(&'a str, ArtifactPart<'a>),
    /// Something that the run or the task itself is called.
    Identity(Identity),
}

/// What a placeholder wants of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactPart<'a> {
    /// All of it, as in the executor input.
    Whole,
    /// `.uri`
    Uri,
    /// `.path`
    Path,
    /// `.name`
    Name,
    /// `.metadata`
    Metadata,
    /// `.metadata['k']`
    MetadataKey(&'a str),
}

impl ArtifactPart<'_> {
    /// True where the part tells where the artifact lies.
    pub fn is_location(self) -> bool {
        matches!(self, ArtifactPart::Whole | ArtifactPart::Uri | ArtifactPart::Path | ArtifactPart::Name)
    }
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment<'a> {
    /// What stands for itself.
    Text(&'a str),
    /// A placeholder, and how it was written.
    Placeholder(Placeholder<'a>, &'a str),
}

/// Cuts a text into segments.
pub fn segments(text: &str) -> Segments<'_> {
    Segments { rest: text }
}

/// The iterator of [`segments`].
#[derive(Debug, Clone)]
pub struct Segments<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        // Where the next placeholder begins; anything that only looks like one is passed over.
        let mut from = 0;
        while let Some(found) = self.rest.get(from..).and_then(|rest| rest.find("{{$")) {
            let start = from + found;
            let written = self.rest.get(start..).and_then(at_start);
            let Some((placeholder, written)) = written else {
                from = start + 3;
                continue;
            };
            if start > 0 {
                let (text, rest) = self.rest.split_at_checked(start)?;
                self.rest = rest;
                return Some(Segment::Text(text));
            }
            self.rest = self.rest.get(written.len()..).unwrap_or("");
            return Some(Segment::Placeholder(placeholder, written));
        }
        Some(Segment::Text(std::mem::take(&mut self.rest)))
    }
}

/// The placeholder with which the text begins, and how it is written.
fn at_start(text: &str) -> Option<(Placeholder<'_>, &str)> {
    let inside = text.strip_prefix("{{$")?;
    // None holds another beginning; so text full of beginnings is not searched to its end from each of them.
    let end = inside.as_bytes().windows(2).position(|pair| pair == b"}}" || pair == b"{{")?;
    if !inside.get(end..)?.starts_with("}}") {
        return None;
    }
    let (inside, written) = (inside.get(..end)?, text.get(..end + 5)?);
    Some((parse(inside)?, written))
}

fn parse(inside: &str) -> Option<Placeholder<'_>> {
    if inside.is_empty() {
        return Some(Placeholder::ExecutorInput);
    }
    let path = inside.strip_prefix('.')?;
    if path == "outputs.output_file" || path == "outputMetadataUri" {
        return Some(Placeholder::OutputFile);
    }
    if let Some(identity) = Identity::from_name(path) {
        return Some(Placeholder::Identity(identity));
    }
    if let Some(rest) = path.strip_prefix("inputs.parameters") {
        let (name, rest) = subscript(rest)?;
        return rest.is_empty().then_some(Placeholder::InputParameter(name));
    }
    if let Some(rest) = path.strip_prefix("outputs.parameters") {
        let (name, rest) = subscript(rest)?;
        return (rest == ".output_file").then_some(Placeholder::OutputParameterFile(name));
    }
    if let Some(rest) = path.strip_prefix("inputs.artifacts") {
        let (name, rest) = subscript(rest)?;
        return Some(Placeholder::InputArtifact(name, part(rest)?));
    }
    if let Some(rest) = path.strip_prefix("outputs.artifacts") {
        let (name, rest) = subscript(rest)?;
        return Some(Placeholder::OutputArtifact(name, part(rest)?));
    }
    None
}

fn part(text: &str) -> Option<ArtifactPart<'_>> {
    Some(match text {
        "" => ArtifactPart::Whole,
        ".uri" => ArtifactPart::Uri,
        ".path" => ArtifactPart::Path,
        ".name" => ArtifactPart::Name,
        ".metadata" => ArtifactPart::Metadata,
        _ => {
            let (key, rest) = subscript(text.strip_prefix(".metadata")?)?;
            rest.is_empty().then_some(ArtifactPart::MetadataKey(key))?
        }
    })
}

/// Reads `['name']` from the start; the quotes may also be double ones, or single ones doubled as YAML does.
fn subscript(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('[')?;
    let quote = ["''", "'", "\""].into_iter().find(|quote| text.starts_with(quote))?;
    let text = text.strip_prefix(quote)?;
    let end = text.find(&format!("{quote}]"))?;
    let name = text.get(..end)?;
    let rest = text.get(end + quote.len() + 1..)?;
    (!name.is_empty()).then_some((name, rest))
}

/// The input artifacts of whose location the texts speak outside the executor input; structures (`IfPresent`) included.
pub fn located_artifacts<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut look = |text: &str| {
        for segment in segments(text) {
            if let Segment::Placeholder(Placeholder::InputArtifact(name, part), _) = segment {
                if part.is_location() {
                    names.insert(name.to_owned());
                }
            }
        }
    };
    for text in texts {
        match Structure::parse(text) {
            Some(structure) => structure.texts(&mut look),
            None => look(text),
        }
    }
    names
}

/// True where one of the texts names the input artifact's `.uri` or `.path` outside the executor input.
pub fn names_uri_or_path<'a>(texts: impl IntoIterator<Item = &'a str>, input: &str) -> bool {
    located_artifacts(texts).contains(input)
}

#[cfg(test)]
mod tests;
