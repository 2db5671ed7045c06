//! The descriptions in the schema. `tool_schema` tests what the schema accepts.

use crate::support::Test;
use serde_json::Value;

/// Returns the schema that the tool prints.
pub fn schema() -> Vec<u8> {
    let captured = Test::new().args(["schema"]).capture();
    assert_eq!((captured.stderr, captured.status), (Vec::new(), 0));
    captured.stdout
}

/// Editors show the descriptions.
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

/// Some editors show the description beside a reference instead of its target's.
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
