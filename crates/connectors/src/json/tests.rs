use proptest::prelude::*;
use serde_json::Value;

use super::{MAX_DEPTH, Node, Reader, parse, repeated};
use crate::error::Code;

fn same(node: &Node<'_>, value: &Value) -> bool {
    match (node, value) {
        (Node::Null, Value::Null) => true,
        (Node::Bool(a), Value::Bool(b)) => a == b,
        (Node::Number(a), Value::Number(b)) => a.parse::<f64>().ok() == b.as_f64(),
        (Node::Text(a), Value::String(b)) => a == b,
        (Node::List(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Node::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name.as_ref()).is_some_and(|b| same(a, b)))
        }
        _ => false,
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        ".*".prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::hash_map(".{0,8}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn reads_every_document_as_serde_json_does(value in any_value(), pretty in any::<bool>()) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        let node = parse(&text).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert!(same(&node, &value));
        prop_assert_eq!(Reader::new(&text).skip().map(str::len), Ok(text.len()));
    }

    #[test]
    fn refuses_damaged_documents_exactly_where_serde_json_does(
        value in any_value(),
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(vec!["", "\"", "{", "}", "[", "]", ",", ":", "\\", "0", "-", ".", "e", "n", "\u{1}", "\\u12"]),
    ) {
        let text = value.to_string();
        let mut cut: Vec<char> = text.chars().collect();
        let at = at.index(cut.len());
        cut.splice(at..=at, with.chars());
        let damaged: String = cut.into_iter().collect();
        let ours = parse(&damaged);
        if matches!(&ours, Err(e) if e.code == Code::RepeatedMember) {
            return Ok(());
        }
        let theirs = serde_json::from_str::<Value>(&damaged);
        // Numbers beyond floating point are numbers here: their text is kept.
        if matches!(&theirs, Err(e) if e.to_string().contains("out of range")) {
            return Ok(());
        }
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", damaged);
        prop_assert_eq!(Reader::new(&damaged).skip().is_ok() || ours.is_err(), true);
    }

    #[test]
    fn random_text_never_panics(text in ".*") {
        let _ = parse(&text);
    }

    #[test]
    fn a_repeated_name_is_found_in_short_and_long_lists(
        mut names in prop::collection::hash_set("[a-z]{1,6}", 2..200).prop_map(|s| s.into_iter().collect::<Vec<_>>()),
        from in any::<prop::sample::Index>(),
    ) {
        prop_assert_eq!(repeated(names.iter().map(String::as_str)), None);
        let twin = names[from.index(names.len())].clone();
        names.push(twin.clone());
        prop_assert_eq!(repeated(names.iter().map(String::as_str)), Some(twin.as_str()));
    }
}

#[test]
fn numbers_keep_their_text() {
    let text = "[1234567890123456789012.10, -0, 1e400, 65059681032]";
    let node = parse(text);
    let numbers = ["1234567890123456789012.10", "-0", "1e400", "65059681032"];
    assert_eq!(node, Ok(Node::List(numbers.map(Node::Number).to_vec())));
}

#[test]
fn surrogate_pairs_make_one_character_and_halves_are_refused() {
    assert_eq!(parse(r#""\ud83d\ude00""#), Ok(Node::Text("😀".into())));
    for half in [
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83dx""#,
        r#""\ud83d\u0041""#,
    ] {
        assert_eq!(parse(half).map_err(|e| e.code), Err(Code::MalformedJson));
    }
}

#[test]
fn nesting_is_read_to_the_limit_and_refused_beyond_it() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(MAX_DEPTH)).is_ok());
    let code = |text: &str| parse(text).err().map(|e| e.code);
    assert_eq!(code(&nested(MAX_DEPTH + 1)), Some(Code::TooDeep));
    assert_eq!(code(&"[".repeat(1_000_000)), Some(Code::TooDeep));
    assert_eq!(
        Reader::new(&"[".repeat(1_000_000))
            .skip()
            .map_err(|e| e.code),
        Err(Code::TooDeep)
    );
}

#[test]
fn an_error_says_line_and_column() {
    let error = parse("{\n  \"a\": nope}").map_err(|e| e.place);
    assert_eq!(error, Err("line 2, column 8".to_owned()));
}

#[test]
fn a_member_that_comes_twice_is_refused() {
    let code = parse(r#"{"a":1,"b":{"c":1,"c":2}}"#).map_err(|e| e.code);
    assert_eq!(code, Err(Code::RepeatedMember));
}
