//! [`RunRequest`] and [`Original`], which borrow what is large: specs and records are read where they lie.

use std::borrow::Cow;

use super::record::Parameter;
use super::run::{CachedOutcome, Config, RunSettings};
use crate::message::{FieldType, Message, MAX_MESSAGE_DEPTH};
use crate::wire::{Field, Reader, Result, Writer};

/// Everything a plan or a run depends on: equal bytes, equal behaviour.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunRequest<'a> {
    /// A google.protobuf.Struct; empty: the original's.
    pub spec: Cow<'a, [u8]>,
    /// Of the new run.
    pub settings: RunSettings,
    /// Absent: no rerun.
    pub original: Option<Original<'a>>,
    /// Of a rerun.
    pub configs: Vec<Config>,
    /// What the cross-run cache holds for keys known beforehand.
    pub cache: Vec<CachedOutcome>,
}

/// The run a rerun is made from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Original<'a> {
    /// Its number.
    pub run_id: i64,
    /// Its full name.
    pub resource_name: String,
    /// A google.protobuf.Struct, as stored.
    pub spec: Cow<'a, [u8]>,
    /// The run parameters that were given.
    pub parameters: Vec<Parameter>,
    /// TaskRecords.
    pub records: Cow<'a, [u8]>,
    /// Its output directory.
    pub pipeline_root: String,
    /// SHA-256 of the spec as stored; empty: not given.
    pub spec_digest: Vec<u8>,
    /// SHA-256 of the records as stored, without what became of their artifacts since; empty: not given.
    pub records_digest: Vec<u8>,
}

impl<'a> RunRequest<'a> {
    /// The request in `bytes`, borrowing from them.
    pub fn decode(bytes: &'a [u8]) -> Result<Self> {
        let mut request = RunRequest::default();
        let mut reader = Reader::with_depth(bytes, MAX_MESSAGE_DEPTH);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => request.spec = Cow::Borrowed(field.bytes()?),
                2 => request.settings.read_all(field.message()?)?,
                3 => request.original.get_or_insert_with(Original::default).read(&field)?,
                4 => request.configs.read(&field)?,
                5 => request.cache.read(&field)?,
                _ => {}
            }
        }
        Ok(request)
    }

    /// The bytes of the request.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes(1, &self.spec);
        writer.message(2, |body| self.settings.encode_into(body));
        if let Some(original) = &self.original {
            writer.message(3, |body| original.encode_into(body));
        }
        self.configs.write(4, &mut writer);
        self.cache.write(5, &mut writer);
        writer.into_bytes()
    }

    /// The same request, owning everything.
    pub fn into_owned(self) -> RunRequest<'static> {
        RunRequest {
            spec: Cow::Owned(self.spec.into_owned()),
            settings: self.settings,
            original: self.original.map(Original::into_owned),
            configs: self.configs,
            cache: self.cache,
        }
    }
}

impl<'a> Original<'a> {
    fn read(&mut self, field: &Field<'a>) -> Result<()> {
        let mut reader = field.message()?;
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => self.run_id.read(&field)?,
                2 => self.resource_name.read(&field)?,
                3 => self.spec = Cow::Borrowed(field.bytes()?),
                4 => self.parameters.read(&field)?,
                5 => self.records = Cow::Borrowed(field.bytes()?),
                6 => self.pipeline_root.read(&field)?,
                7 => self.spec_digest.read(&field)?,
                8 => self.records_digest.read(&field)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn encode_into(&self, writer: &mut Writer) {
        writer.int(1, self.run_id);
        writer.string(2, &self.resource_name);
        writer.bytes(3, &self.spec);
        self.parameters.write(4, writer);
        writer.bytes(5, &self.records);
        writer.string(6, &self.pipeline_root);
        writer.bytes(7, &self.spec_digest);
        writer.bytes(8, &self.records_digest);
    }

    fn into_owned(self) -> Original<'static> {
        Original {
            run_id: self.run_id,
            resource_name: self.resource_name,
            spec: Cow::Owned(self.spec.into_owned()),
            parameters: self.parameters,
            records: Cow::Owned(self.records.into_owned()),
            pipeline_root: self.pipeline_root,
            spec_digest: self.spec_digest,
            records_digest: self.records_digest,
        }
    }
}
