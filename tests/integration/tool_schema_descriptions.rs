//! What the schema says of the keys. That it accepts what `check` accepts is in `tool_schema`.

use crate::documentation::OBJECT_KINDS;
use crate::support::Test;
use serde_json::Value;
use std::collections::BTreeSet;

/// The schema, as the tool prints it.
pub fn schema() -> Vec<u8> {
    let captured = Test::new().args(["schema"]).capture();
    assert_eq!((captured.stderr, captured.status), (Vec::new(), 0));
    captured.stdout
}

#[test]
fn schema_has_the_keys_that_foreword_has() {
    let schema: Value = serde_json::from_slice(&schema()).expect("JSON");
    let mut pointers = BTreeSet::new();
    for kind in OBJECT_KINDS {
        let properties = schema.pointer(kind.schema).and_then(Value::as_object);
        let properties = properties.unwrap_or_else(|| panic!("the schema has {}", kind.schema));
        let described: BTreeSet<_> = properties.keys().cloned().collect();
        let known: BTreeSet<_> = kind.keys().into_iter().chain(annotations()).collect();
        assert_eq!(described, known, "{}", kind.schema);
        pointers.insert(kind.schema.to_owned());
    }
    // A kind that is new to the schema has to be listed there.
    let mut found = BTreeSet::new();
    find_objects(&schema, "", &mut found);
    assert_eq!(found, pointers);
}

/// The keys that every object may have; foreword's list leaves them out.
fn annotations() -> [String; 2] {
    ["description", "$schema"].map(str::to_owned)
}

/// Finds the JSON pointers of the properties of objects that may have annotations.
fn find_objects(node: &Value, pointer: &str, found: &mut BTreeSet<String>) {
    match node {
        Value::Object(members) => {
            if members.get("properties").is_some_and(|properties| !properties["$schema"].is_null())
            {
                found.insert(format!("{pointer}/properties"));
            }
            for (key, value) in members {
                find_objects(value, &format!("{pointer}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_objects(item, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Editors show it.
#[test]
fn every_key_of_the_schema_has_a_description() {
    fn look(schema: &Value, node: &Value, undescribed: &mut Vec<String>) {
        for (key, property) in
            node["properties"].as_object().into_iter().flatten().filter(|(_, p)| p.is_object())
        {
            let target = property["$ref"]
                .as_str()
                .and_then(|path| schema.pointer(path.trim_start_matches('#')));
            if property["description"].is_null()
                && target.is_none_or(|target| target["description"].is_null())
            {
                undescribed.push(key.clone());
            }
        }
        match node {
            Value::Object(members) => {
                members.values().for_each(|node| look(schema, node, undescribed))
            }
            Value::Array(items) => items.iter().for_each(|node| look(schema, node, undescribed)),
            _ => {}
        }
    }
    let schema: Value = serde_json::from_slice(&schema()).expect("JSON");
    let mut undescribed = Vec::new();
    look(&schema, &schema, &mut undescribed);
    assert!(undescribed.is_empty(), "{undescribed:?}");
}

/// Some editors let what stands beside a reference take the place of what it leads to.
#[test]
fn description_beside_a_reference_differs_from_its_target_s() {
    fn look(schema: &Value, node: &Value, twice: &mut Vec<String>) {
        let target = node["$ref"]
            .as_str()
            .map(|path| schema.pointer(path.trim_start_matches('#')).expect("a target"));
        if let (Some(Value::Object(target)), Some(members)) = (target, node.as_object()) {
            let is_twice = |key: &&String| {
                !["description", "$ref"].contains(&key.as_str()) && target.contains_key(*key)
            };
            twice.extend(members.keys().filter(is_twice).map(|key| format!("{key} of {node}")));
        }
        match node {
            Value::Object(members) => members.values().for_each(|node| look(schema, node, twice)),
            Value::Array(items) => items.iter().for_each(|node| look(schema, node, twice)),
            _ => {}
        }
    }
    let schema: Value = serde_json::from_slice(&schema()).expect("JSON");
    let mut twice = Vec::new();
    look(&schema, &schema, &mut twice);
    assert!(twice.is_empty(), "{twice:#?}");
}
