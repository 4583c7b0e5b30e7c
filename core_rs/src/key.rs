//! The cache key: one digest of all that decides what a task leaves behind. `KEY.md` specifies the encoding.
//!
//! Invariant: the preimage is the same for equal meaning, whatever the order in which fields were given, and can be
//! taken apart again, so that two keys can be compared field by field.

use sha2::{Digest, Sha256};

use crate::json::{self, Spacing};
use crate::parameter::ParameterType;
use crate::value::Value;

pub use crate::key_compare::{differing_fields, first_difference, matches, FieldDiff, KeyValue, NotComparable};
pub use crate::key_show::differences;

/// What every preimage of this version begins with. A change of the encoding's meaning is a change of this.
pub const DOMAIN: &[u8; 16] = b"reprise.key.v1\0\0";

/// In the place of a length: the field exists, its value is not known yet.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// In the place of a length: SHA-256 of the value follows, in its place.
pub(crate) const DIGESTED: u32 = u32::MAX - 1;

/// Longer values stand in the preimage by their digest: the source of a component would else be kept with every task.
pub(crate) const MAX_INLINE: usize = 256;

/// What the fields of a preimage are about. The numbers are part of the encoding and ordered like the paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Section {
    /// The author's own key, which stands for code and inputs.
    CacheKey = 1,
    /// Arguments of a container.
    ExecutorArgs = 2,
    /// Command of a container.
    ExecutorCommand = 3,
    /// Digest or generation that an importer saw.
    ExecutorContent = 4,
    /// One environment variable.
    ExecutorEnv = 5,
    /// Image of a container.
    ExecutorImage = 6,
    /// Metadata that an importer gives its artifact.
    ExecutorMetadata = 7,
    /// URI of an importer.
    ExecutorUri = 8,
    /// One input artifact, or a list of them.
    InputArtifact = 9,
    /// One input parameter.
    InputParameter = 10,
    /// One declared output artifact.
    OutputArtifact = 11,
    /// One declared output parameter.
    OutputParameter = 12,
    /// The project's salt.
    Salt = 13,
}

impl Section {
    pub(crate) const ALL: [Section; 13] = [
        Section::CacheKey,
        Section::ExecutorArgs,
        Section::ExecutorCommand,
        Section::ExecutorContent,
        Section::ExecutorEnv,
        Section::ExecutorImage,
        Section::ExecutorMetadata,
        Section::ExecutorUri,
        Section::InputArtifact,
        Section::InputParameter,
        Section::OutputArtifact,
        Section::OutputParameter,
        Section::Salt,
    ];

    pub(crate) fn from_number(number: u8) -> Option<Section> {
        Self::ALL.into_iter().find(|section| *section as u8 == number)
    }

    /// The path of a field in this section, e.g. `inputs.parameters.x`.
    pub(crate) fn path(self, name: &str) -> String {
        let prefix = match self {
            Section::CacheKey => "cacheKey",
            Section::ExecutorArgs => "executor.args",
            Section::ExecutorCommand => "executor.command",
            Section::ExecutorContent => "executor.content",
            Section::ExecutorEnv => "executor.env.",
            Section::ExecutorImage => "executor.image",
            Section::ExecutorMetadata => "executor.metadata",
            Section::ExecutorUri => "executor.uri",
            Section::InputArtifact => "inputs.artifacts.",
            Section::InputParameter => "inputs.parameters.",
            Section::OutputArtifact => "outputs.artifacts.",
            Section::OutputParameter => "outputs.parameters.",
            Section::Salt => "salt",
        };
        format!("{prefix}{name}")
    }
}

/// One input artifact, as the key sees it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct KeyArtifact<'a> {
    /// E.g. `system.Model`.
    pub schema_title: &'a str,
    /// Digest of the content; empty: unknown, and the URI stands for it.
    pub digest: &'a str,
    /// Where it lies.
    pub uri: &'a str,
    /// The command names the artifact's `.uri` or `.path` outside the executor input, so where it lies matters too.
    pub is_location_named: bool,
    /// The metadata that its author set, and nothing else; `None`: none.
    pub author_metadata: Option<&'a Value>,
}

/// Gathers the fields of one key. Fields may come in any order; of a field that comes twice the last counts.
///
/// A builder can be used for one key after the other ([`KeyBuilder::clear`]), which saves its allocations.
#[derive(Debug, Default, Clone)]
pub struct KeyBuilder {
    buffer: Vec<u8>,
    /// The preimage, as last asked for.
    ordered: Vec<u8>,
    fields: Vec<FieldAt>,
    is_author_keyed: bool,
}

#[derive(Debug, Clone, Copy)]
struct FieldAt {
    section: Section,
    /// Section and first bytes of the name as a number, which nearly always decides the order.
    rank: u64,
    start: usize,
    name_length: usize,
    end: usize,
    is_unknown: bool,
}

/// The part of a key that is the same for every task of a component: its executor and its outputs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ComponentKey {
    executor: Vec<u8>,
    outputs: Vec<u8>,
}

/// Section number and length of the name, before the name.
const HEAD: usize = 5;

impl FieldAt {
    fn name<'b>(&self, buffer: &'b [u8]) -> Option<&'b [u8]> {
        buffer.get(self.start + HEAD..self.start + HEAD + self.name_length)
    }

    fn order(&self, other: &Self, buffer: &[u8]) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank).then_with(|| self.name(buffer).cmp(&other.name(buffer)))
    }
}

impl KeyBuilder {
    /// A key with no fields yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all fields.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.fields.clear();
        self.is_author_keyed = false;
    }

    /// The project's salt; an empty one is none.
    pub fn salt(&mut self, salt: &str) {
        if !salt.is_empty() {
            self.text(Section::Salt, "", salt);
        }
    }

    /// The author's own key, which replaces code and inputs: those given before or after are left out.
    pub fn cache_key(&mut self, key: &str) {
        if !key.is_empty() {
            self.text(Section::CacheKey, "", key);
            self.is_author_keyed = true;
        }
    }

    /// What has been given so far of the executor and the outputs, to be used for many keys.
    pub fn component_key(&mut self) -> ComponentKey {
        let mut prepared = ComponentKey::default();
        self.sort();
        for field in &self.fields {
            let bytes = self.buffer.get(field.start..field.end).unwrap_or(&[]);
            match field.section {
                Section::CacheKey | Section::InputArtifact | Section::InputParameter | Section::Salt => {}
                Section::OutputArtifact | Section::OutputParameter => prepared.outputs.extend_from_slice(bytes),
                _ => prepared.executor.extend_from_slice(bytes),
            }
        }
        prepared
    }

    /// Executor and outputs of a component, prepared by [`KeyBuilder::component_key`]. What is prepared is not to be
    /// given again field by field.
    pub fn component(&mut self, prepared: &ComponentKey) {
        for (section, bytes) in
            [(Section::ExecutorArgs, &prepared.executor), (Section::OutputArtifact, &prepared.outputs)]
        {
            if !bytes.is_empty() {
                let start = self.buffer.len();
                self.buffer.extend_from_slice(bytes);
                self.end(section, start, "", false);
            }
        }
    }

    /// Image, command and arguments of a container, placeholders unresolved.
    pub fn container<S: AsRef<str>>(&mut self, image: &str, command: &[S], args: &[S]) {
        self.text(Section::ExecutorImage, "", image);
        self.texts(Section::ExecutorCommand, command);
        self.texts(Section::ExecutorArgs, args);
    }

    /// One environment variable of a container.
    pub fn env(&mut self, name: &str, value: &str) {
        self.text(Section::ExecutorEnv, name, value);
    }

    /// URI and metadata of an importer, and what it saw there when it ran, if that is to count. `None` for the URI or
    /// the metadata: not known yet.
    pub fn importer(&mut self, uri: Option<&str>, metadata: Option<&Value>, content: Option<&str>) {
        match uri {
            Some(uri) => self.text(Section::ExecutorUri, "", uri),
            None => self.unknown(Section::ExecutorUri, ""),
        }
        match metadata {
            Some(metadata) => self.field(Section::ExecutorMetadata, "", |out| {
                json::write(metadata, Spacing::Compact, out);
            }),
            None => self.unknown(Section::ExecutorMetadata, ""),
        }
        if let Some(content) = content {
            self.text(Section::ExecutorContent, "", content);
        }
    }

    /// An input parameter that is present; its declared type, if it has one. Absent ones are not given.
    pub fn parameter(&mut self, name: &str, declared: Option<ParameterType>, value: &Value) {
        self.field(Section::InputParameter, name, |out| {
            out.push(type_number(declared));
            json::write(value, Spacing::Compact, out);
        });
    }

    /// The same from the bytes of a google.protobuf.Value, without building the value.
    pub fn parameter_from_protobuf(
        &mut self,
        name: &str,
        declared: Option<ParameterType>,
        value: &[u8],
    ) -> Result<(), crate::value::ValueError> {
        let mut result = Ok(());
        self.field(Section::InputParameter, name, |out| {
            out.push(type_number(declared));
            result = crate::canonical::write_protobuf(value, out);
        });
        result
    }

    /// An input parameter whose value, or presence, is not known yet.
    pub fn unknown_parameter(&mut self, name: &str) {
        self.unknown(Section::InputParameter, name);
    }

    /// An input artifact, or a list of them in its order.
    pub fn artifacts(&mut self, name: &str, is_list: bool, artifacts: &[KeyArtifact<'_>]) {
        self.field(Section::InputArtifact, name, |out| {
            out.push(u8::from(is_list));
            push_length(out, artifacts.len());
            for artifact in artifacts {
                push_text(out, artifact.schema_title);
                push_text(out, artifact.digest);
                let is_uri_in = artifact.is_location_named || artifact.digest.is_empty();
                push_text(out, if is_uri_in { artifact.uri } else { "" });
                let at = out.len();
                push_length(out, 0);
                match artifact.author_metadata {
                    None => {}
                    Some(metadata) => json::write(metadata, Spacing::Compact, out),
                }
                patch_length(out, at);
            }
        });
    }

    /// An input artifact that is not known yet.
    pub fn unknown_artifacts(&mut self, name: &str) {
        self.unknown(Section::InputArtifact, name);
    }

    /// A declared output parameter.
    pub fn output_parameter(&mut self, name: &str, declared: ParameterType) {
        self.field(Section::OutputParameter, name, |out| out.push(type_number(Some(declared))));
    }

    /// A declared output artifact.
    pub fn output_artifact(&mut self, name: &str, schema_title: &str, is_list: bool) {
        self.field(Section::OutputArtifact, name, |out| {
            out.push(u8::from(is_list));
            out.extend_from_slice(schema_title.as_bytes());
        });
    }

    /// True when every field that was given has a value.
    pub fn is_complete(&self) -> bool {
        self.fields.iter().all(|field| !self.is_in(field) || !field.is_unknown)
    }

    /// The encoding of all fields.
    pub fn preimage(&mut self) -> Vec<u8> {
        self.in_order().to_vec()
    }

    /// The key of all fields: what [`digest`] makes of [`KeyBuilder::preimage`]. Means nothing for an incomplete key.
    pub fn digest(&mut self) -> [u8; 32] {
        digest(self.in_order())
    }

    fn sort(&mut self) {
        let buffer = &self.buffer;
        self.fields.sort_by(|a, b| a.order(b, buffer));
    }

    fn in_order(&mut self) -> &[u8] {
        self.sort();
        let buffer = &self.buffer;
        self.ordered.clear();
        self.ordered.extend_from_slice(DOMAIN);
        let mut fields = self.fields.iter().peekable();
        while let Some(field) = fields.next() {
            let is_overwritten = fields.peek().is_some_and(|next| field.order(next, buffer).is_eq());
            if !is_overwritten && self.is_in(field) {
                self.ordered.extend_from_slice(buffer.get(field.start..field.end).unwrap_or(&[]));
            }
        }
        &self.ordered
    }

    fn is_in(&self, field: &FieldAt) -> bool {
        use Section as S;
        !self.is_author_keyed || matches!(field.section, S::CacheKey | S::Salt | S::OutputArtifact | S::OutputParameter)
    }

    #[inline]
    fn field(&mut self, section: Section, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        let start = self.head(section, name);
        let at = self.buffer.len();
        push_length(&mut self.buffer, 0);
        value(&mut self.buffer);
        if self.buffer.len() > at + 4 + MAX_INLINE {
            let digest = Sha256::digest(self.buffer.get(at + 4..).unwrap_or(&[]));
            self.buffer.truncate(at);
            self.buffer.extend_from_slice(&DIGESTED.to_le_bytes());
            self.buffer.extend_from_slice(&digest);
        } else {
            patch_length(&mut self.buffer, at);
        }
        self.end(section, start, name, false);
    }

    fn unknown(&mut self, section: Section, name: &str) {
        let start = self.head(section, name);
        self.buffer.extend_from_slice(&UNKNOWN.to_le_bytes());
        self.end(section, start, name, true);
    }

    #[inline]
    fn head(&mut self, section: Section, name: &str) -> usize {
        let start = self.buffer.len();
        self.buffer.reserve(name.len() + 64);
        self.buffer.push(section as u8);
        push_text(&mut self.buffer, name);
        start
    }

    #[inline]
    fn end(&mut self, section: Section, start: usize, name: &str, is_unknown: bool) {
        let mut first = [section as u8, 0, 0, 0, 0, 0, 0, 0];
        for (place, byte) in first.iter_mut().skip(1).zip(name.bytes()) {
            *place = byte;
        }
        self.fields.push(FieldAt {
            section,
            rank: u64::from_be_bytes(first),
            start,
            name_length: name.len(),
            end: self.buffer.len(),
            is_unknown,
        });
    }

    fn text(&mut self, section: Section, name: &str, value: &str) {
        self.field(section, name, |out| out.extend_from_slice(value.as_bytes()));
    }

    fn texts<S: AsRef<str>>(&mut self, section: Section, values: &[S]) {
        self.field(section, "", |out| {
            push_length(out, values.len());
            for value in values {
                push_text(out, value.as_ref());
            }
        });
    }
}

/// The key of a preimage.
pub fn digest(preimage: &[u8]) -> [u8; 32] {
    Sha256::digest(preimage).into()
}

/// The key under which the cross-run cache keeps an outcome: the key itself, or where its task uses placeholders for the
/// run's own identity, a digest of it and of what they resolve to, each `(placeholder, value)`, in any order.
pub fn cross_run_key(key: &[u8; 32], identity: &[(&str, &str)]) -> [u8; 32] {
    if identity.is_empty() {
        return *key;
    }
    let mut sorted = identity.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut bytes = b"reprise.crossrun.v1\0".to_vec();
    bytes.extend_from_slice(key);
    for (placeholder, value) in sorted {
        push_text(&mut bytes, placeholder);
        push_text(&mut bytes, value);
    }
    Sha256::digest(&bytes).into()
}

fn type_number(declared: Option<ParameterType>) -> u8 {
    match declared {
        None => 0,
        Some(ParameterType::String) => 1,
        Some(ParameterType::NumberInteger) => 2,
        Some(ParameterType::NumberDouble) => 3,
        Some(ParameterType::Boolean) => 4,
        Some(ParameterType::List) => 5,
        Some(ParameterType::Struct) => 6,
        Some(ParameterType::TaskFinalStatus) => 7,
    }
}

/// Lengths are 32 bits, least significant byte first; nothing that large gets through a request.
fn push_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(DIGESTED - 1).to_le_bytes());
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    push_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn patch_length(out: &mut [u8], at: usize) {
    let length = u32::try_from(out.len().saturating_sub(at + 4)).unwrap_or(DIGESTED - 1);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod golden;
