use baton_core::change::Format;
use proptest::prelude::*;

use super::{Payload, WEBHOOK, split};

/// Key, value and object of every message.
fn messages(format: Format, text: &str) -> Vec<(Option<String>, Option<String>, Option<String>)> {
    let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    split(format, text.as_bytes())
        .map(|p| {
            let object = p.object.map(String::from);
            (
                p.key.as_deref().map(text_of),
                p.value.as_deref().map(text_of),
                object,
            )
        })
        .collect()
}

fn values(format: Format, text: &str) -> Vec<String> {
    messages(format, text)
        .into_iter()
        .filter_map(|(_, value, _)| value)
        .collect()
}

fn keys(format: Format, text: &str) -> Vec<Option<String>> {
    messages(format, text)
        .into_iter()
        .map(|(key, ..)| key)
        .collect()
}

#[test]
fn lines_are_messages_and_blank_lines_are_not() {
    let text = "\u{feff}{\"id\":\"1\"}\n\n  \r\n{\"id\":2}\r\n\n";
    assert_eq!(
        values(Format::Baton, text),
        ["{\"id\":\"1\"}", "{\"id\":2}"].map(|v| v.to_owned())
    );
    assert_eq!(
        keys(Format::Baton, text),
        [Some("1".to_owned()), Some("2".to_owned())]
    );
    let lines: Vec<usize> = split(Format::Baton, text.as_bytes())
        .map(|p| p.line)
        .collect();
    assert_eq!(lines, [1, 4]);
    assert_eq!(messages(Format::Baton, " \n "), []);
}

#[test]
fn one_value_over_many_lines_is_one_message() {
    let text = "{\n \"id\": 1\n}\n{\n \"id\": 2\n}";
    assert_eq!(
        keys(Format::Baton, text),
        [Some("1".to_owned()), Some("2".to_owned())]
    );
}

#[test]
fn elements_of_an_array_go_one_by_one_under_their_ids() {
    let text = r#"[{"id":"1"}, {"id":"2"}]"#;
    assert_eq!(
        values(Format::Baton, text),
        [r#"{"id":"1"}"#, r#"{"id":"2"}"#].map(|v| v.to_owned())
    );
    assert_eq!(
        values(Format::Baton, "[\n{\"id\":\"1\"}\n]"),
        [r#"{"id":"1"}"#.to_owned()]
    );
}

#[test]
fn a_webhooks_array_stays_whole_and_a_longer_one_does_not() {
    let array = |length: usize| format!("[{}]", vec![r#"{"objectId":7}"#; length].join(","));
    let text = array(WEBHOOK);
    assert_eq!(
        messages(Format::Hubspot, &text),
        [(Some("7".into()), Some(text.clone()), None)]
    );
    assert_eq!(
        values(Format::Hubspot, &array(WEBHOOK + 1)).len(),
        WEBHOOK + 1
    );
    let two = r#"[{"id":"a","status":"x"},{"id":"b","status":"y"}]"#;
    assert_eq!(
        messages(Format::Espocrm, two),
        [(None, Some(two.to_owned()), None)]
    );
}

#[test]
fn a_captured_requests_body_is_the_message_whether_json_or_text() {
    let body = r#"{"mautic.lead_post_delete":[]}"#;
    let json = format!(r#"{{"path":"/m","headers":{{}},"body":{body}}}"#);
    let quoted = serde_json::Value::from(body);
    let text = format!("{{\n\"path\":\"/m\",\n\"headers\":{{}},\n\"body\":{quoted}\n}}\n");
    for capture in [json, text] {
        assert_eq!(values(Format::Mautic, &capture), [body.to_owned()]);
    }
    let csv = r#"{"path":"/","headers":{},"body":"id,name\n1,Ada\n"}"#;
    assert_eq!(values(Format::Csv, csv), ["id,name\n1,Ada\n".to_owned()]);
}

#[test]
fn a_captured_message_has_its_key_its_table_and_maybe_no_value() {
    let text = concat!(
        r#"{"dest":"crm.public.party","key":"{\"id\":2}","value":"{\"op\":\"d\"}"}"#,
        "\n",
        r#"{"dest":"crm.public.party","key":"{\"id\":2}","value":null}"#
    );
    let (key, object) = (Some("{\"id\":2}".to_owned()), Some("party".to_owned()));
    let expected = [
        (
            key.clone(),
            Some("{\"op\":\"d\"}".to_owned()),
            object.clone(),
        ),
        (key, None, object),
    ];
    assert_eq!(messages(Format::Debezium, text), expected);
}

#[test]
fn a_broken_line_costs_only_itself() {
    let text = "{\"id\":\"1\"}\n{\"id\":\n{\"id\":\"3\"}\nnonsense\n{\"id\":\"5\"}";
    assert_eq!(
        values(Format::Baton, text),
        [
            r#"{"id":"1"}"#,
            r#"{"id":"#,
            r#"{"id":"3"}"#,
            "nonsense",
            r#"{"id":"5"}"#
        ]
        .map(|v| v.to_owned())
    );
}

#[test]
fn a_value_broken_over_lines_is_one_broken_message() {
    let text = "{\n \"a\": 1,\n \"b\": ]\n}";
    assert_eq!(values(Format::Baton, text), [text.to_owned()]);
}

#[test]
fn bytes_that_are_no_text_are_handed_on_as_they_are() {
    let bytes = b"{\"id\":\"1\"}\n\xff\xfe\n{\"id\":\"2\"}\n";
    let values: Vec<_> = split(Format::Baton, bytes)
        .filter_map(|p| p.value)
        .collect();
    assert_eq!(
        values,
        [&b"{\"id\":\"1\"}"[..], b"\xff\xfe", b"{\"id\":\"2\"}"]
    );
}

#[test]
fn each_csv_row_has_the_header_above_it() {
    let text = "\u{feff}Id;Note\r\n1;\"two\r\nlines\"\r\n\r\n 2 ;x";
    let expected = [
        (
            Some("1".to_owned()),
            Some("Id;Note\r\n1;\"two\r\nlines\"\r\n".to_owned()),
            None,
        ),
        (
            Some("2".to_owned()),
            Some("Id;Note\r\n 2 ;x".to_owned()),
            None,
        ),
    ];
    assert_eq!(messages(Format::Csv, text), expected);
    let lines: Vec<usize> = split(Format::Csv, text.as_bytes())
        .map(|p| p.line)
        .collect();
    assert_eq!(lines, [2, 5]);
    assert_eq!(messages(Format::Csv, "id,name\n"), []);
}

#[test]
fn a_conversion_stays_in_its_transactions_order() {
    let event = |id: &str| format!(r#"{{"ChangeEventHeader":{{"recordIds":["{id}"]}}}}"#);
    let text = format!("[{},{}]", event("1"), event("2"));
    assert_eq!(
        messages(Format::Salesforce, &text),
        [(None, Some(text.clone()), None)]
    );
    assert_eq!(
        keys(Format::Salesforce, &event("1")),
        [Some("1".to_owned())]
    );
}

proptest! {
    #[test]
    fn every_bytes_split_to_an_end_and_the_progress_rises(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in Format::ALL {
            let ends: Vec<usize> = split(format, &bytes).map(|p: Payload<'_>| p.end).collect();
            prop_assert!(ends.is_sorted());
            prop_assert!(ends.last().is_none_or(|end| *end <= bytes.len()));
        }
    }

    #[test]
    fn nothing_of_a_file_of_lines_is_lost(lines in prop::collection::vec(prop_oneof![
        Just(r#"{"id":"1"}"#), Just(r#"{"a":"#), Just("x y"), Just("[]"), Just("\"open"), Just("}")
    ], 1..12)) {
        let text = lines.join("\n");
        let joined: String = values(Format::Espocrm, &text).concat();
        let squeeze = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert_eq!(squeeze(&joined), squeeze(&text));
    }
}
