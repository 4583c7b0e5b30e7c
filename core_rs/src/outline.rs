//! What a service has to know of a compiled pipeline before it looks into it, straight from the bytes of its Struct.

use std::collections::BTreeMap;

use crate::wire::{Field, Reader, Result, Wire};

/// Of a compiled pipeline.
#[derive(Debug, PartialEq, Default)]
pub struct Outline {
    /// The tasks that its root and its components declare.
    pub declared_tasks: usize,
    /// `defaultPipelineRoot`, empty without one.
    pub default_root: String,
    /// It is a PipelineJob, as older compilers write it: the pipeline is its `pipelineSpec`.
    pub is_whole_job: bool,
}

/// The outline of the Struct in `bytes`. Of a name that comes twice the last counts, as in every map.
///
/// # Errors
/// The bytes are no Struct.
pub fn outline(bytes: &[u8]) -> Result<Outline> {
    let spec = Reader::new(bytes);
    let root = member(spec, "root")?;
    let mut declared_tasks = tasks_of(root)?;
    for component in members(inside(member(spec, "components")?)?)?.into_values() {
        declared_tasks += tasks_of(Some(component))?;
    }
    Ok(Outline {
        declared_tasks,
        default_root: text(member(spec, "defaultPipelineRoot")?)?.to_owned(),
        is_whole_job: root.is_none() && member(spec, "pipelineSpec")?.is_some(),
    })
}

fn tasks_of(component: Option<Reader<'_>>) -> Result<usize> {
    let dag = inside(member(inside(component)?, "dag")?)?;
    Ok(members(inside(member(dag, "tasks")?)?)?.len())
}

/// The value of the last member of a Struct with this name.
fn member<'a>(mut fields: Reader<'a>, name: &str) -> Result<Option<Reader<'a>>> {
    let mut found = None;
    while let Some(field) = fields.next_field()? {
        found = entry(&field)?.filter(|(key, _)| *key == name).map(|(_, value)| value).or(found);
    }
    Ok(found)
}

fn members(mut fields: Reader<'_>) -> Result<BTreeMap<&str, Reader<'_>>> {
    let mut found = BTreeMap::new();
    while let Some(field) = fields.next_field()? {
        found.extend(entry(&field)?);
    }
    Ok(found)
}

/// The member that a field of a Struct is, if it is one: parsers pass over fields that they do not know, and those of
/// another wire type are such.
fn entry<'a>(field: &Field<'a>) -> Result<Option<(&'a str, Reader<'a>)>> {
    let (1, Wire::Bytes(_)) = (field.number, field.wire) else { return Ok(None) };
    let (mut parts, mut key, mut value) = (field.message()?, "", Reader::new(&[]));
    while let Some(part) = parts.next_field()? {
        match (part.number, part.wire) {
            (1, Wire::Bytes(_)) => key = part.str()?,
            (2, Wire::Bytes(_)) => value = part.message()?,
            _ => {}
        }
    }
    Ok(Some((key, value)))
}

/// The Struct in a Value; an empty one if that is not what it holds.
fn inside(value: Option<Reader<'_>>) -> Result<Reader<'_>> {
    let held = value.map(held).transpose()?.flatten().filter(|field| field.number == 5);
    held.map_or(Ok(Reader::new(&[])), |field| field.message())
}

fn text(value: Option<Reader<'_>>) -> Result<&str> {
    let held = value.map(held).transpose()?.flatten().filter(|field| field.number == 3);
    held.map_or(Ok(""), |field| field.str())
}

/// What a Value holds: of several the last.
fn held(mut value: Reader<'_>) -> Result<Option<Field<'_>>> {
    let mut found = None;
    while let Some(field) = value.next_field()? {
        let is_known = matches!(
            (field.number, field.wire),
            (1 | 4, Wire::Varint(_)) | (2, Wire::Fixed64(_)) | (3 | 5 | 6, Wire::Bytes(_))
        );
        if is_known {
            found = Some(field);
        }
    }
    Ok(found)
}

/// Whether every client can read these bytes back as a Struct: at most `deepest` levels, every number finite, every
/// string UTF-8, one value for each member, and nothing that a Struct does not have.
pub fn is_plain(bytes: &[u8], deepest: usize) -> bool {
    check_struct(Reader::new(bytes), deepest).is_some()
}

fn check_struct(mut fields: Reader<'_>, deepest: usize) -> Option<()> {
    while let Some(field) = fields.next_field().ok()? {
        if field.number != 1 {
            return None;
        }
        let mut entry = field.message().ok()?;
        let mut has_value = false;
        while let Some(part) = entry.next_field().ok()? {
            match part.number {
                1 => {
                    part.str().ok()?;
                }
                2 if !has_value => {
                    has_value = true;
                    check_value(part.message().ok()?, deepest)?;
                }
                _ => return None,
            }
        }
        has_value.then_some(())?;
    }
    Some(())
}

fn check_value(mut value: Reader<'_>, deepest: usize) -> Option<()> {
    while let Some(field) = value.next_field().ok()? {
        match field.number {
            1 | 4 => {
                field.varint().ok()?;
            }
            2 => {
                field.double().ok().filter(|number| number.is_finite())?;
            }
            3 => {
                field.str().ok()?;
            }
            5 => {
                let below = deepest.checked_sub(1)?;
                check_struct(field.message().ok()?, below)?;
            }
            6 => {
                let below = deepest.checked_sub(1)?;
                let mut list = field.message().ok()?;
                while let Some(item) = list.next_field().ok()? {
                    if item.number != 1 {
                        return None;
                    }
                    check_value(item.message().ok()?, below)?;
                }
            }
            _ => return None,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Writer;

    type Member<'a> = (&'a str, &'a dyn Fn(&mut Writer));

    fn fields(writer: &mut Writer, members: &[Member<'_>]) {
        for (key, value) in members {
            writer.message(1, |entry| {
                entry.string(1, key);
                entry.message(2, |body| value(body));
            });
        }
    }

    fn of(members: &[Member<'_>]) -> Vec<u8> {
        let mut writer = Writer::new();
        fields(&mut writer, members);
        writer.into_bytes()
    }

    fn component(writer: &mut Writer) {
        let tasks = |body: &mut Writer| {
            let task = |one: &mut Writer| one.double_always(2, 1.5);
            body.message(5, |inside| fields(inside, &[("a", &task), ("b", &task)]));
        };
        let dag = |body: &mut Writer| body.message(5, |inside| fields(inside, &[("tasks", &tasks)]));
        writer.message(5, |inside| fields(inside, &[("dag", &dag)]));
    }

    #[test]
    fn tasks_of_the_root_and_of_components_are_counted() {
        let components = |body: &mut Writer| {
            body.message(5, |inside| fields(inside, &[("comp-a", &component), ("comp-b", &component)]));
        };
        let root = |body: &mut Writer| body.string(3, "gs://bucket");
        let bytes = of(&[("root", &component), ("components", &components), ("defaultPipelineRoot", &root)]);
        let expected = Outline { declared_tasks: 6, default_root: "gs://bucket".to_owned(), is_whole_job: false };
        assert_eq!(outline(&bytes), Ok(expected));
    }

    #[test]
    fn of_a_name_that_comes_twice_the_last_counts() {
        let empty = |body: &mut Writer| body.message(5, |_| ());
        let root = |value: &'static str| move |body: &mut Writer| body.string(3, value);
        let bytes = of(&[
            ("root", &component),
            ("root", &empty),
            ("defaultPipelineRoot", &root("a")),
            ("defaultPipelineRoot", &root("b")),
        ]);
        let expected = Outline { default_root: "b".to_owned(), ..Outline::default() };
        assert_eq!(outline(&bytes), Ok(expected));
    }

    #[test]
    fn a_whole_job_is_told_from_a_pipeline() {
        let is_job = |members: &[Member<'_>]| outline(&of(members)).map(|found| found.is_whole_job);
        assert_eq!(is_job(&[("pipelineSpec", &component)]), Ok(true));
        assert_eq!(is_job(&[("pipelineSpec", &component), ("root", &component)]), Ok(false));
        assert_eq!(is_job(&[("root", &component)]), Ok(false));
        assert!(outline(&[0x0a, 0x05, 0x01]).is_err());
    }

    #[test]
    fn what_clients_cannot_read_back_is_not_plain() {
        assert!(is_plain(&of(&[("root", &component)]), 3));
        assert!(!is_plain(&of(&[("root", &component)]), 2), "too deep");
        assert!(!is_plain(&of(&[("n", &|body| body.double_always(2, f64::NAN))]), 20));
        assert!(!is_plain(&of(&[("s", &|body| body.bytes(3, &[0xff]))]), 20));
        assert!(!is_plain(&of(&[("unknown", &|body| body.double_always(9, 1.0))]), 20));
        assert!(!is_plain(&[0x0a, 0x05, 0x01], 20));
    }
}
