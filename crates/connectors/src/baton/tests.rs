use baton_core::{
    change::{Class, Format::Baton, Precision},
    id::Object,
    time::Millis,
    value::Raw,
};

use crate::{
    Code, MAX_FIELDS,
    testing::{change, changes, field, items, names, number, refusal, value},
};

const FULL: &str = r#"{"object":"contact","id":"003","class":"delta","time":"2026-11-22T08:19:27.250Z","seq":9,"event_id":"e1","cause":"manual_edit",
    "actor":"sam","origin":"crm","transaction":"t1","before":{"city":"Rome","phone":"1"},"fields":{"name":"A\u0064a","age":1234567890123456789.10,"city":"Paris",
    "vip":true,"tags":["a","b"],"BillingAddress":{"City":"Oslo"},"note":null},"cleared":["phone","note"]}"#;

#[test]
fn every_member_of_the_canonical_form_is_read() {
    let change = change(Baton, FULL);
    assert_eq!(
        (
            change.object.as_deref(),
            change.id.as_str(),
            change.class.clone()
        ),
        (Some("contact"), "003", Class::Delta)
    );
    assert_eq!(
        (change.time, change.precision),
        (Some(Millis(1_795_335_567_250)), Precision::Millis)
    );
    assert_eq!(
        (change.seq, change.vendor_id.as_deref()),
        (Some(9), Some("e1"))
    );
    assert_eq!(
        (change.cause.as_deref(), change.actor.as_deref()),
        (Some("manual_edit"), Some("sam"))
    );
    assert_eq!(
        (change.origin.as_deref(), change.transaction.as_deref()),
        (Some("crm"), Some("t1"))
    );
    assert_eq!(
        names(&change),
        [
            "BillingAddress.City",
            "age",
            "city",
            "name",
            "note",
            "phone",
            "tags",
            "vip"
        ]
    );
    assert_eq!(value(&change, "name"), Some(&Raw::text("Ada")));
    assert_eq!(
        value(&change, "age"),
        Some(&number("1234567890123456789.10"))
    );
    assert_eq!(value(&change, "vip"), Some(&Raw::Bool(true)));
    assert_eq!(
        value(&change, "tags"),
        Some(&Raw::List(vec!["a".into(), "b".into()]))
    );
    assert_eq!(
        field(&change, "city").and_then(|f| f.before.clone()),
        Some(Raw::text("Rome"))
    );
    let phone = field(&change, "phone").map(|f| (f.value.clone(), f.before.clone(), f.cleared));
    assert_eq!(phone, Some((Raw::Null, Some(Raw::text("1")), true)));
}

#[test]
fn a_blank_is_a_clear_in_a_delta_only() {
    let cleared = |class: &str| {
        let text =
            format!(r#"{{"id":"1","class":"{class}","fields":{{"a":null,"b":"","c":"x"}}}}"#);
        change(Baton, &text)
            .fields
            .iter()
            .map(|f| f.cleared)
            .collect::<Vec<_>>()
    };
    assert_eq!(cleared("delta"), [true, true, false]);
    for class in ["event", "snapshot", "read_back"] {
        assert_eq!(cleared(class), [false, false, false]);
    }
}

#[test]
fn every_class_is_read() {
    let class = |rest: &str| change(Baton, &format!(r#"{{"id":"1",{rest}}}"#)).class;
    assert_eq!(class(r#""class":"gap""#), Class::Gap);
    assert_eq!(class(r#""class":"overflow""#), Class::Overflow);
    assert_eq!(class(r#""class":"delete""#), Class::Delete);
    assert_eq!(class(r#""class":"undelete""#), Class::Undelete);
    assert_eq!(
        class(r#""class":"merge","losers":["2",3]"#),
        Class::Merge {
            losers: vec!["2".into(), "3".into()]
        }
    );
    let to = vec![(Object::Contact, "7".into())];
    assert_eq!(
        class(r#""to":[{"object":"contact","id":"7"}],"class":"convert""#),
        Class::Convert { to }
    );
    assert_eq!(
        class(r#""class":"stage","stage":"mql""#),
        Class::Stage {
            stage: "mql".into()
        }
    );
    assert_eq!(
        class(r#""class":"activity","kind":"call""#),
        Class::Activity {
            kind: "call".into()
        }
    );
    assert_eq!(class(r#""fields":{}"#), Class::Delta);
}

#[test]
fn an_overflow_needs_no_id() {
    assert_eq!(
        change(Baton, r#"{"object":"lead","class":"overflow"}"#).id,
        "*"
    );
    assert_eq!(
        refusal(Baton, r#"{"object":"lead","class":"gap"}"#).code,
        Code::MissingId
    );
}

#[test]
fn times_come_as_text_or_as_milliseconds_and_keep_their_precision() {
    let time = |time: &str| {
        let change = change(Baton, &format!(r#"{{"id":"1","time":{time}}}"#));
        (change.time.map(|t| t.0), change.precision)
    };
    assert_eq!(
        time("1795335567250"),
        (Some(1_795_335_567_250), Precision::Millis)
    );
    assert_eq!(
        time(r#""2026-11-22T08:19:27Z""#),
        (Some(1_795_335_567_000), Precision::Second)
    );
    assert_eq!(
        time(r#""2026-11-22T10:19:27.25+02:00""#),
        (Some(1_795_335_567_250), Precision::Millis)
    );
    assert_eq!(
        time(r#""2026-11-22""#),
        (Some(1_795_305_600_000), Precision::Day)
    );
    assert_eq!(
        time(r#""2026-11-22", "precision":"second""#).1,
        Precision::Second
    );
    assert_eq!(time("null"), (None, Precision::Millis));
    for wrong in [
        "true",
        r#""yesterday""#,
        "9e99",
        "99999999999999999",
        r#""2026-13-01T00:00:00Z""#,
    ] {
        let error = refusal(Baton, &format!(r#"{{"id":"1","time":{wrong}}}"#));
        assert_eq!(
            (error.code, error.place.as_str()),
            (Code::BadTime, "at /time"),
            "{wrong}"
        );
    }
}

#[test]
fn unknown_members_and_classes_are_refused_with_the_nearest_known_one() {
    let error = refusal(Baton, r#"{"id":"1","feilds":{}}"#);
    assert_eq!(error.code, Code::UnknownMember);
    assert!(
        error.to_string().contains("did you mean `fields`?"),
        "{error}"
    );
    let error = refusal(Baton, r#"{"id":"1","class":"snapshoot"}"#);
    assert_eq!(error.code, Code::UnknownClass);
    assert!(
        error.to_string().contains("did you mean `snapshot`?"),
        "{error}"
    );
}

#[test]
fn what_contradicts_itself_is_refused() {
    for text in [
        r#"{"id":"1","class":"delta","losers":["2"]}"#,
        r#"{"id":"1","class":"merge","stage":"mql","losers":["2"]}"#,
        r#"{"id":"1","fields":{"a":"x"},"cleared":["a"]}"#,
        r#"{"id":"1","fields":{"a":"x"},"before":{"b":"y"}}"#,
    ] {
        assert_eq!(refusal(Baton, text).code, Code::Contradiction, "{text}");
    }
    for (class, member) in [("merge", "losers"), ("convert", "to"), ("stage", "stage")] {
        let error = refusal(Baton, &format!(r#"{{"id":"1","class":"{class}"}}"#));
        assert_eq!(error.code, Code::MissingMember);
        assert!(error.what.contains(member));
    }
}

#[test]
fn what_comes_twice_is_refused() {
    for text in [
        r#"{"id":"1","id":"2"}"#,
        r#"{"id":"1","fields":{"a":1,"b":2,"a":3}}"#,
        r#"{"id":"1","fields":{"a.b":1,"a":{"b":2}}}"#,
        r#"{"id":"1","fields":{"a":1},"before":{"a":1,"a":2}}"#,
    ] {
        assert_eq!(refusal(Baton, text).code, Code::RepeatedMember, "{text}");
    }
}

#[test]
fn wrong_types_are_named_with_their_place_and_never_their_value() {
    for (text, place) in [
        (r#"{"id":{"secret":1}}"#, "at /id"),
        (r#"{"id":"1","seq":"secret"}"#, "at /seq"),
        (r#"{"id":"1","fields":["secret"]}"#, "at /fields"),
        (r#"{"id":"1","cleared":[["secret"]]}"#, "at /cleared/0"),
        (
            r#"{"id":"1","class":"convert","to":[{"object":"secret","id":"1"}]}"#,
            "at /to/0/object",
        ),
    ] {
        let error = refusal(Baton, text);
        assert_eq!(
            (error.code, error.place.as_str()),
            (Code::WrongType, place),
            "{text}"
        );
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn a_bad_element_of_a_list_is_refused_alone() {
    let text = r#"[{"id":"1"},{"nope":1},{"id":"3"}]"#;
    assert_eq!(items(Baton, text).map(|items| items.len()), Ok(3));
    assert_eq!(refusal(Baton, text).place, "at /1");
    assert_eq!(changes(Baton, "[]"), []);
    assert_eq!(refusal(Baton, "7").code, Code::UnknownShape);
    assert_eq!(refusal(Baton, r#"{"id":"1"} x"#).code, Code::MalformedJson);
}

#[test]
fn more_fields_than_any_record_has_are_refused() {
    let fields: Vec<String> = (0..=MAX_FIELDS).map(|n| format!("\"f{n}\":1")).collect();
    let text = format!(r#"{{"id":"1","fields":{{{}}}}}"#, fields.join(","));
    assert_eq!(refusal(Baton, &text).code, Code::TooLarge);
}

#[test]
fn a_version_that_is_known_changes_nothing_and_a_newer_one_is_told_before_anything_else() {
    let first = change(Baton, &FULL.replacen('{', r#"{"schema_version":1,"#, 1));
    assert_eq!(first, change(Baton, FULL));
    for newer in [
        r#"{"object":"contact","id":"003","schema_version":3}"#,
        // What looks like a mistake of version 2 is none of version 3.
        r#"{"object":"contact","ids":["003"],"class":"unheard","schema_version":3}"#,
        r#"{"class":"unheard","id":"003","schema_version":70000}"#,
    ] {
        let refused = refusal(Baton, newer);
        assert_eq!(refused.code, Code::NewerVersion, "{newer}");
        assert!(refused.what.contains("reads versions up to 2"), "{refused}");
        assert_eq!(refused.place, "at /schema_version");
    }
    let none = r#"{"object":"contact","id":"003","schema_version":"first"}"#;
    assert_eq!(refusal(Baton, none).code, Code::WrongType);
}
