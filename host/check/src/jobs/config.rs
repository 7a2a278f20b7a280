//! Whether the schema of the configuration and the code that reads it say the same.

use selkies_plugin_abi as abi;
use selkies_plugin_host::{Manifest, validate_config};
use serde_json::{Map, Value, json};

use super::{Blocked, Instance, Job, Task, instances::encoder_tables, maker};
use crate::{
    call::Failure,
    encoder::Encoder,
    journal::{fail, held, skip},
    library::Library,
    rules::lifecycle::{LIF_017, LIF_018, LIF_019},
};

pub(super) static JOBS: &[Job] = &[Job {
    name: "configuration",
    table: None,
    rules: &[&LIF_017, &LIF_018, &LIF_019],
    limit_s: 120,
    fuzz: false,
    run: configuration,
}];

/// Most properties that are looked at.
const MAX_PROPERTIES: usize = 64;

fn configuration(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    let manifest = task.manifest()?;
    let create = creator(task, &library, &manifest)?;
    let base = &task.order.config;
    if let Err(failure) = create(&Value::Object(base.clone()).to_string()) {
        failure.breaks(&LIF_017, "with the configuration as given");
        return Err(format!("no instance: {failure}"));
    }
    let Some(schema) = &manifest.config_schema else {
        held(&[&LIF_017]);
        for rule in [&LIF_018, &LIF_019] {
            skip(rule, "the manifest has no config_schema");
        }
        return Ok(());
    };
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    defaults(&manifest, &properties, base, &create);
    for (name, property) in properties.iter().take(MAX_PROPERTIES) {
        let with = |value: Value| {
            let mut config = base.clone();
            config.insert(name.clone(), value);
            Value::Object(config)
        };
        // What was given is needed on this machine; other values may rightly fail here.
        let given = base.contains_key(name);
        for value in samples(property).into_iter().filter(|_| !given) {
            let config = with(value.clone());
            if validate_config(&manifest, &config).is_err() {
                continue;
            }
            if let Err(failure) = create(&config.to_string())
                && failure.detail() == abi::DETAIL_CONFIG
            {
                failure.breaks(&LIF_019, &format!("{name} {value}"));
            }
        }
        let wrong = [json!("text"), json!([1]), json!({ "a": 1 }), json!(true)]
            .into_iter()
            .filter(|value| !may_be(property, value))
            .find(|value| validate_config(&manifest, &with(value.clone())).is_err());
        if let Some(value) = wrong {
            match create(&with(value.clone()).to_string()) {
                Ok(()) => fail(&LIF_018, format!("create took {name} {value}")),
                Err(failure) if failure.detail() == abi::DETAIL_CONFIG => {}
                Err(failure) => failure.breaks(&LIF_018, &format!("{name} {value}, wanted detail config")),
            }
        }
    }
    held(&[&LIF_017, &LIF_018, &LIF_019]);
    Ok(())
}

/// All defaults that the schema states, together.
fn defaults(
    manifest: &Manifest,
    properties: &Map<String, Value>,
    base: &Map<String, Value>,
    create: &dyn Fn(&str) -> Result<(), Failure>,
) {
    let mut config: Map<String, Value> = properties
        .iter()
        .filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone())))
        .collect();
    if let Err(refusal) = validate_config(manifest, &Value::Object(config.clone())) {
        // Members without a default may be required: then only the others are to fit.
        if base.is_empty() {
            return fail(&LIF_017, format!("the defaults do not fit the schema: {refusal}"));
        }
    }
    config.extend(base.clone());
    if let Err(failure) = create(&Value::Object(config).to_string()) {
        failure.breaks(&LIF_017, "with the defaults of the schema");
    }
}

/// Values that a property's schema states.
fn samples(property: &Value) -> Vec<Value> {
    let mut values: Vec<Value> = ["default", "const", "minimum", "maximum"]
        .iter()
        .filter_map(|key| property.get(*key).cloned())
        .collect();
    for list in ["enum", "examples"] {
        values.extend(property.get(list).and_then(Value::as_array).cloned().unwrap_or_default());
    }
    if property.get("type").and_then(Value::as_str) == Some("boolean") {
        values.extend([json!(true), json!(false)]);
    }
    values
}

/// True when a property's own type allows a value of this type.
fn may_be(property: &Value, value: &Value) -> bool {
    let name = match value {
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
        Value::Number(_) => "number",
    };
    match property.get("type") {
        Some(Value::String(kind)) => kind == name,
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == name),
        // Without a type the schema as a whole decides.
        _ => false,
    }
}

type Creator<'a> = Box<dyn Fn(&str) -> Result<(), Failure> + 'a>;

/// Makes and ends an instance of the plugin's first table with a configuration.
fn creator<'a>(task: &'a Task, library: &Library, manifest: &Manifest) -> Result<Creator<'a>, Blocked> {
    use selkies_plugin_abi::ids;
    for interface in &manifest.interfaces {
        let id = interface.as_str();
        if id == ids::ENCODER_V1 {
            let tables = encoder_tables(task, library)?;
            let offer = super::instances::first_offer(tables, &task.config)?;
            return Ok(Box::new(move |config| {
                Encoder::create(tables, &offer, &offer.params(128, 128), config).map(drop)
            }));
        }
        if let Some((role, functions)) = maker(task, library, id)? {
            let functions = functions.ok_or("PKG-007: create or destroy is NULL")?;
            return Ok(Box::new(move |config| Instance::create(role, functions, config).map(drop)));
        }
    }
    Err("PKG-007: the plugin offers no table with create".into())
}
