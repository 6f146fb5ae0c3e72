use baton_core::{
    change::{Class, Format::Csv},
    value::Raw,
};

use super::{delimiter, id_column};
use crate::{
    Code,
    testing::{change, changes, items, refusal, value},
};

#[test]
fn each_row_is_a_snapshot_under_the_headers_names() {
    let changes = changes(
        Csv,
        "\u{feff}Id,Email,Note\n1,ada@example.com,\"a, \"\"b\"\"\nc\"\n2,,x\n",
    );
    assert_eq!(changes.len(), 2);
    assert!(
        changes
            .iter()
            .all(|c| c.class == Class::Snapshot && c.time.is_none())
    );
    assert!(
        changes
            .iter()
            .all(|c| c.cause.as_deref() == Some("LIST_IMPORT"))
    );
    assert_eq!(value(&changes[0], "Note"), Some(&Raw::text("a, \"b\"\nc")));
    assert_eq!(value(&changes[1], "Email"), Some(&Raw::Null));
}

#[test]
fn the_delimiter_is_the_one_the_header_uses_most() {
    assert_eq!(delimiter("a;b;\"c,d,e,f\"\n1,2,3,4,5"), b';');
    assert_eq!(delimiter("a\tb\n"), b'\t');
    assert_eq!(delimiter("a,b;c,d"), b',');
    assert_eq!(delimiter("id"), b',');
    assert_eq!(change(Csv, "id;name\n1;Ada").id, "1");
}

#[test]
fn the_id_column_is_the_plainest_one() {
    let find = |header: &str, object| id_column(header.split(','), object);
    assert_eq!(find("Account ID,ID", None), Some(1));
    assert_eq!(find("Name,Record ID - Contact,Account ID", None), Some(1));
    assert_eq!(find("Account ID,Contact ID", Some("contact")), Some(1));
    assert_eq!(find("Name,Contact ID", None), Some(1));
    assert_eq!(find("Name,AccountId", None), None);
}

#[test]
fn a_ragged_row_is_refused_with_its_line_and_the_others_are_not() {
    let text = "id,name\n1,Ada\n2\n3,Grace,x\n4,Alan\n\n,nobody\n";
    let refused: Vec<_> = items(Csv, text)
        .into_iter()
        .flatten()
        .filter_map(|item| match item {
            crate::Item::Refused(e) => Some((e.code, e.place)),
            crate::Item::Change(_) => None,
        })
        .collect();
    let line = |n: u32| format!("line {n}");
    assert_eq!(
        refused,
        [
            (Code::RaggedRow, line(3)),
            (Code::RaggedRow, line(4)),
            (Code::MissingId, line(7))
        ]
    );
    assert_eq!(items(Csv, text).map(|items| items.len()), Ok(5));
}

#[test]
fn headers_that_name_no_id_or_one_column_twice_are_refused() {
    assert_eq!(refusal(Csv, "name,mail\nA,B\n").code, Code::MissingId);
    assert_eq!(
        refusal(Csv, "id,name,name\n1,A,B\n").code,
        Code::RepeatedMember
    );
    assert_eq!(refusal(Csv, " \n \n").code, Code::EmptyPayload);
    assert_eq!(items(Csv, "id,name\n"), Ok(vec![]));
}
