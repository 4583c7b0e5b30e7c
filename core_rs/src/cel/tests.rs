use super::*;

fn value(text: &str) -> Value {
    Value::from_json(text).unwrap()
}

/// Evaluates with a='heads', n=7, s='12', d=2.5, t=true; `u` is unknown, all else absent.
fn truth(condition: &str) -> Result<Truth, CelError> {
    let values = [("a", "\"heads\""), ("n", "7"), ("s", "\"12\""), ("d", "2.5"), ("t", "true"), ("l", "[1,\"x\"]")]
        .map(|(name, text)| (name, value(text)));
    evaluate(condition, |name| {
        if name == "u" {
            return Lookup::Unknown;
        }
        values.iter().find(|(known, _)| *known == name).map_or(Lookup::Absent, |(_, value)| Lookup::Known(value))
    })
}

fn with_names(condition: &str) -> String {
    let mut out = condition.to_owned();
    for name in ["a", "n", "s", "d", "t", "l", "u", "missing"] {
        out = out.replace(&format!("${name}"), &format!("inputs.parameter_values['{name}']"));
    }
    out
}

#[test]
fn conditions_that_the_compiler_writes() {
    for (condition, expected) in [
        ("$a == 'heads'", Truth::True),
        ("!($a == 'heads')", Truth::False),
        ("$a != 'tails'", Truth::True),
        ("!(int($n) < 5) && int($n) > 5", Truth::True),
        ("!(int($n) < 5) && !(int($n) > 5)", Truth::False),
        ("int($s) == 12", Truth::True),
        ("double($n) == 7.0", Truth::True),
        ("$d >= double(2)", Truth::True),
        ("$t == true", Truth::True),
        ("$t == 'true'", Truth::False),
        ("$d < 1e-05", Truth::False),
        ("$n == -7", Truth::False),
        ("$n == '7'", Truth::False),
    ] {
        assert_eq!(truth(&with_names(condition)), Ok(expected), "{condition}");
    }
}

#[test]
fn the_rest_of_the_language() {
    for condition in [
        "$n == 7.0",
        "$n < 7.5 && 7.5 > $n && $d > 2 && 2 < $d",
        "-3 < -2.5 && -2.5 < -2",
        "9007199254740993 != 9007199254740992.0",
        "-9223372036854775808 < 0",
        "'a' < 'b' && false < true",
        "$n in [1, 7] && !(2 in [1])",
        "$l[1] == 'x' && size($l) == 2 && $l.size() == 2",
        "$n > 5 ? $t : false",
        "$a.startsWith('he') && $a.endsWith('ds') && $a.contains('ead')",
        "string($n) == '7' && bool('true')",
        "'\\x41\\u00e9\\101\\n' == \"AéA\\n\" && r'\\n' != '\\n' && '''a'b''' == \"a'b\"",
        "null == null && [1, 2.0] == [1.0, 2]",
        "int(2.9) == 2 && int(-2.9) == -2 && int('-5') == -5",
        "inputs.parameter_values.n == 7",
        "100000000000000000000.0 > 9223372036854775807",
    ] {
        assert_eq!(truth(&with_names(condition)), Ok(Truth::True), "{condition}");
    }
}

#[test]
fn errors_and_results_that_are_no_booleans_are_errors() {
    for (condition, message) in [
        ("", "the expression ends too early"),
        ("'x'", "the condition is no boolean but a string"),
        ("$n", "the condition is no boolean but an integer"),
        ("$missing == 1", "there is no input parameter missing"),
        ("$a == 'it's'", "unexpected quote after s (the compiler does not escape quotes inside strings)"),
        ("$a == 'it", "a string in the expression does not end"),
        ("$a == 'a\nb'", "a string in the expression holds a line break"),
        ("'int($n)' == '7'", "unexpected quote after n (the compiler does not escape quotes inside strings)"),
        ("int($a) == 1", "int() cannot read \"heads\""),
        ("int($t) == 1", "int() takes no a boolean"),
        ("$a < 1", "< does not compare a string with an integer"),
        ("$n + 1 == 2", "arithmetic is not supported in expressions (+)"),
        ("x == 1", "the expression names x, which does not exist"),
        ("f(1)", "there is no function f of 1 arguments"),
        ("$n == 9223372036854775808", "an integer in the expression is too large"),
        ("$n == 12abc", "bad number at \"12abc\""),
        ("$d == inf", "the expression names inf, which does not exist"),
        ("string_value == 'a'", "string_value exists in selectors only"),
        ("$l[5] == 1", "there is no item 5 in a list of 2"),
        ("'\\q' == 'q'", "a string in the expression holds the unknown escape \\q"),
        ("inputs.artifacts['x']", "inputs has no field artifacts, only parameter_values"),
        ("# == 1", "unexpected character '#' in the expression"),
    ] {
        assert_eq!(truth(&with_names(condition)).unwrap_err().message, message, "{condition}");
    }
    assert!(truth(&"(".repeat(100_000)).is_err());
    assert!(truth(&"!".repeat(100_000)).is_err());
    assert!(truth(&format!("true{}", "[0]".repeat(100_000))).is_err());
    assert!(truth(&format!("true{}", " == true".repeat(100_000))).is_err());
    let chain = format!("(true{})", "[0]".repeat(50));
    assert!(truth(&(0..50).fold(chain, |inner, _| format!("({inner}{})", "[0]".repeat(50)))).is_err());
    assert_eq!(truth(&vec![with_names("$n == 7"); 10_000].join(" && ")), Ok(Truth::True));
}

#[test]
fn unknown_values_matter_only_where_they_decide() {
    for (condition, expected) in [
        ("$u == 1", Truth::Unknown),
        ("$u == 1 && false", Truth::False),
        ("false && $u == 1", Truth::False),
        ("$u == 1 || true", Truth::True),
        ("$u == 1 && true", Truth::Unknown),
        ("!($u == 1)", Truth::Unknown),
        ("$missing == 1 && $u == 1", Truth::Unknown),
        ("$missing == 1 && false", Truth::False),
        ("true || $missing", Truth::True),
        ("int($u) < 3", Truth::Unknown),
        ("[$u] == [1]", Truth::Unknown),
        ("$u ? true : false", Truth::Unknown),
    ] {
        assert_eq!(truth(&with_names(condition)), Ok(expected), "{condition}");
    }
}

#[test]
fn the_parameters_of_a_condition_are_found() {
    let condition = with_names("!(int($n) < 5) && $a == \"$t\" || $n > 1").replace("inputs.parameter_values['t']", "t");
    assert_eq!(referenced(&condition), Ok(vec!["a".to_owned(), "n".to_owned()]));
}

#[test]
fn selectors_take_fields_and_items() {
    let object = value("{\"a\":{\"b\":[1,{\"c\":9007199254740993}]},\"x y\":\"z\"}");
    for (selector, expected) in [
        ("parseJson(string_value)[\"a\"][\"b\"][1][\"c\"]", "9007199254740993"),
        ("parseJson(string_value)[\"x y\"]", "\"z\""),
        ("parseJson(string_value)", "{\"a\":{\"b\":[1,{\"c\":9007199254740993}]},\"x y\":\"z\"}"),
    ] {
        assert_eq!(select(selector, &object), Ok(value(expected)), "{selector}");
        assert_eq!(select(selector, &Value::String(object.to_json())), Ok(value(expected)), "{selector}");
    }
    assert_eq!(select("string_value", &value("[1, 2]")), Ok(value("\"[1,2]\"")));
    assert!(select("parseJson(string_value)[\"q\"]", &object).is_err());
    assert!(select("parseJson(string_value)", &value("\"no json\"")).is_err());
}
