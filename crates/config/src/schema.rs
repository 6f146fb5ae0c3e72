//! The JSON Schema of the configuration files, made from the same description that `check` uses.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    shape::{Keys, Shape, TableSpec},
    spec,
};

/// JSON Schema (draft 2020-12) for the files of the configuration folder. A vocabulary file is described by
/// `#/$defs/Vocabulary`, a list of holidays by `#/$defs/Holidays`; editors that know only one schema per folder accept
/// all.
#[must_use]
pub fn schema() -> Value {
    let mut defs = BTreeMap::new();
    define(&spec::ROOT, &mut defs);
    define(&spec::VOCABULARY, &mut defs);
    let holidays = shape(&spec::HOLIDAYS, &mut defs);
    defs.insert("Holidays", holidays);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Baton configuration",
        "description": "A TOML file of Baton's configuration folder: `*.toml`, `vocabularies/<format>.toml`, or `holidays/<name>.toml`.",
        "anyOf": [
            { "$ref": "#/$defs/Configuration" },
            { "$ref": "#/$defs/Vocabulary" },
            { "$ref": "#/$defs/Holidays" },
        ],
        "$defs": defs,
    })
}

fn define(spec: &'static TableSpec, defs: &mut BTreeMap<&'static str, Value>) {
    if defs.contains_key(spec.name) {
        return;
    }
    // Entered first, so that a table which holds itself ends.
    defs.insert(spec.name, Value::Null);
    let mut properties = Map::new();
    for key in spec.keys {
        let mut value = shape(&key.shape, defs);
        if let Value::Object(object) = &mut value {
            object.insert("description".into(), key.doc.into());
        }
        properties.insert(key.name.into(), value);
    }
    let required: Vec<&str> = spec
        .keys
        .iter()
        .filter(|k| k.required)
        .map(|k| k.name)
        .collect();
    let mut table = json!({
        "type": "object",
        "description": spec.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if let (Value::Object(object), false) = (&mut table, required.is_empty()) {
        object.insert("required".into(), json!(required));
    }
    defs.insert(spec.name, table);
}

fn shape(of: &'static Shape, defs: &mut BTreeMap<&'static str, Value>) -> Value {
    match of {
        Shape::Text => json!({ "type": "string", "minLength": 1 }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Integer(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::Number(i64::MIN, _) => json!({ "type": "number" }),
        Shape::Number(least, most) => {
            json!({ "type": "number", "minimum": least, "maximum": most })
        }
        Shape::Duration(..) => json!({
            "type": "string",
            "pattern": r"^\s*(\d+(ms|s|m|min|h|d|w)\s*)+$",
            "examples": ["2s", "15m", "180d"],
        }),
        Shape::Bytes(least, most) => json!({ "anyOf": [
            { "type": "string", "pattern": r"^\s*\d+\s*(B|KiB|MiB|GiB|kB|KB|MB|GB)?\s*$" },
            { "type": "integer", "minimum": least, "maximum": most },
        ] }),
        Shape::Choice(_, _, options) => json!({ "enum": options }),
        Shape::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Shape::List(least, item) => json!({
            "type": "array",
            "minItems": least,
            "uniqueItems": true,
            "items": shape(item, defs),
        }),
        Shape::Table(spec) => {
            define(spec, defs);
            json!({ "$ref": format!("#/$defs/{}", spec.name) })
        }
        Shape::Map(keys, value) => {
            let value = shape(value, defs);
            match keys {
                Keys::OneOf(_, _, options) => {
                    let properties: Map<String, Value> = options
                        .iter()
                        .map(|o| ((*o).to_owned(), value.clone()))
                        .collect();
                    json!({ "type": "object", "properties": properties, "additionalProperties": false })
                }
                Keys::NewName => json!({
                    "type": "object",
                    "propertyNames": { "pattern": "^[a-z][a-z0-9_]{0,63}$" },
                    "additionalProperties": value,
                }),
                Keys::Date => json!({
                    "type": "object",
                    "propertyNames": { "pattern": r"^\d{4}-\d{2}-\d{2}$" },
                    "additionalProperties": value,
                }),
                Keys::Any | Keys::Known => {
                    json!({ "type": "object", "additionalProperties": value })
                }
            }
        }
        Shape::Rule => shape(&spec::RULE, defs),
        Shape::Either(shapes) => {
            let any: Vec<Value> = shapes.iter().map(|s| shape(s, defs)).collect();
            json!({ "anyOf": any })
        }
    }
}
