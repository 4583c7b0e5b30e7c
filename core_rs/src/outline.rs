//! What a service has to know of a compiled pipeline before it looks into it, straight from the bytes of its Struct.

use crate::wire::Reader;

/// Of a compiled pipeline.
#[derive(Debug, PartialEq, Default)]
pub struct Outline {
    /// The tasks that its root and its components declare.
    pub declared_tasks: usize,
    /// `defaultPipelineRoot`, empty without one.
    pub default_root: String,
}

/// The outline of the Struct in `bytes`; None unless it is a plain one: at most `deepest` levels, every number finite,
/// every string UTF-8, nothing that a Struct does not have, and no whole PipelineJob (`pipelineSpec`).
pub fn outline(bytes: &[u8], deepest: usize) -> Option<Outline> {
    let mut found = Outline::default();
    each_member(Reader::new(bytes), |key, value| {
        check_value(value, deepest)?;
        match key {
            "pipelineSpec" => return None,
            "root" => found.declared_tasks += tasks_of(value)?,
            "components" => {
                if let Some(components) = last_struct(value)? {
                    each_member(components, |_, component| {
                        found.declared_tasks += tasks_of(component)?;
                        Some(())
                    })?;
                }
            }
            "defaultPipelineRoot" => found.default_root = last_string(value)?,
            _ => {}
        }
        Some(())
    })?;
    Some(found)
}

fn tasks_of(component: Reader<'_>) -> Option<usize> {
    let mut count = 0;
    if let Some(fields) = last_struct(component)? {
        each_member(fields, |key, dag| {
            if key == "dag" {
                if let Some(inside) = last_struct(dag)? {
                    each_member(inside, |key, tasks| {
                        if key == "tasks" {
                            if let Some(tasks) = last_struct(tasks)? {
                                each_member(tasks, |_, _| {
                                    count += 1;
                                    Some(())
                                })?;
                            }
                        }
                        Some(())
                    })?;
                }
            }
            Some(())
        })?;
    }
    Some(count)
}

/// The Struct in a Value, if that is what it holds.
fn last_struct(mut value: Reader<'_>) -> Option<Option<Reader<'_>>> {
    let mut found = None;
    while let Some(field) = value.next_field().ok()? {
        found = if field.number == 5 { Some(field.message().ok()?) } else { None };
    }
    Some(found)
}

fn last_string(mut value: Reader<'_>) -> Option<String> {
    let mut found = String::new();
    while let Some(field) = value.next_field().ok()? {
        found = if field.number == 3 { field.str().ok()?.to_owned() } else { String::new() };
    }
    Some(found)
}

fn each_member<'a>(mut fields: Reader<'a>, mut visit: impl FnMut(&'a str, Reader<'a>) -> Option<()>) -> Option<()> {
    while let Some(field) = fields.next_field().ok()? {
        if field.number != 1 {
            return None;
        }
        let mut entry = field.message().ok()?;
        let (mut key, mut value) = ("", None);
        while let Some(part) = entry.next_field().ok()? {
            match part.number {
                1 => key = part.str().ok()?,
                2 if value.is_none() => value = Some(part.message().ok()?),
                _ => return None,
            }
        }
        visit(key, value?)?;
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
                each_member(field.message().ok()?, |_, member| check_value(member, below))?;
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
        let expected = Outline { declared_tasks: 6, default_root: "gs://bucket".to_owned() };
        assert_eq!(outline(&bytes, 20), Some(expected));
    }

    #[test]
    fn what_is_not_plain_has_none() {
        assert_eq!(outline(&of(&[("root", &component)]), 2), None, "too deep");
        assert_eq!(outline(&of(&[("n", &|body| body.double_always(2, f64::NAN))]), 20), None);
        assert_eq!(outline(&of(&[("s", &|body| body.bytes(3, &[0xff]))]), 20), None);
        assert_eq!(outline(&of(&[("pipelineSpec", &component)]), 20), None);
        assert_eq!(outline(&of(&[("unknown", &|body| body.double_always(9, 1.0))]), 20), None);
        assert_eq!(outline(&[0x0a, 0x05, 0x01], 20), None);
    }
}
