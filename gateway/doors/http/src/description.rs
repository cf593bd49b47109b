//! What clients are told of services (sans-I/O).

use keyway_value::{MetaMethod, MetaObject, MetaProperty, MetaSignal};
use serde_json::{Map, Value, json};

use crate::{
    arguments::{full_name, parameter_names},
    operation::segment,
    schema::{schema, tuple},
};

/// A service with the members that may be used.
pub(crate) fn service(name: &str, metaobject: &MetaObject) -> Value {
    json!({
        "name": name,
        "description": metaobject.description,
        "methods": metaobject.methods.values().map(method).collect::<Vec<_>>(),
        "properties": metaobject.properties.values().map(property).collect::<Vec<_>>(),
        "signals": metaobject.signals.values().map(signal).collect::<Vec<_>>(),
    })
}

/// OpenAPI 3.1 of services, each with the members that may be used.
pub(crate) fn openapi(services: &[(String, MetaObject)]) -> Value {
    let mut paths = Map::new();
    paths.insert(
        "/v1/services".to_owned(),
        json!({ "get": {
        "operationId": "services",
        "summary": "The names of the services that may be used",
        "responses": responses(&json!({ "type": "array", "items": { "type": "string" } })),
    } }),
    );
    for (name, metaobject) in services {
        let base = format!("/v1/services/{}", segment(name));
        paths.insert(
            base.clone(),
            json!({ "get": {
            "operationId": format!("{name}:describe"),
            "summary": format!("The members of {name}"),
            "tags": [name],
            "responses": responses(&json!({ "type": "object" })),
        } }),
        );
        for method in metaobject.methods.values() {
            let is_alone = metaobject.methods_named(&method.name).nth(1).is_none();
            let unique = if is_alone { method.name.clone() } else { full_name(method) };
            paths.insert(format!("{base}/{}", segment(&unique)), json!({ "post": call(name, &unique, method) }));
        }
        for property in metaobject.properties.values() {
            let path = format!("{base}/properties/{}", segment(&property.name));
            paths.insert(path, access(name, property));
        }
        for signal in metaobject.signals.values() {
            let path = format!("{base}/signals/{}", segment(&signal.name));
            paths.insert(path, json!({ "get": events(name, signal) }));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Keyway", "version": env!("CARGO_PKG_VERSION"), "description": "Services behind a Keyway gateway." },
        "security": [{ "bearer": [] }, { "basic": [] }],
        "paths": paths,
        "components": components(),
    })
}

fn method(method: &MetaMethod) -> Value {
    json!({
        "name": method.name,
        "fullName": full_name(method),
        "parameters": method.parameters_signature.to_string(),
        "parameterNames": parameter_names(method),
        "returns": method.return_signature.to_string(),
        "description": method.description,
    })
}

fn property(property: &MetaProperty) -> Value {
    json!({ "name": property.name, "type": property.signature.to_string() })
}

fn signal(signal: &MetaSignal) -> Value {
    json!({ "name": signal.name, "parameters": signal.signature.to_string() })
}

fn call(service: &str, unique: &str, method: &MetaMethod) -> Value {
    let elements = method.parameters_signature.elements();
    let items: Vec<_> = elements.iter().map(schema).collect();
    let is_anything = matches!(method.parameters_signature.kind(), keyway_value::Type::Dynamic);
    let by_position = if is_anything { json!({ "type": "array" }) } else { tuple(&items) };
    let arguments = match parameter_names(method) {
        Some(names) => {
            let fields: Map<_, _> = names.iter().map(|name| (*name).to_owned()).zip(items).collect();
            json!({ "oneOf": [by_position, { "type": "object", "properties": fields, "required": names }] })
        }
        None => by_position,
    };
    json!({
        "operationId": format!("{service}.{unique}"),
        "summary": format!("{service}.{unique}"),
        "description": method.description,
        "tags": [service],
        "requestBody": { "required": !elements.is_empty(), "content": { "application/json": { "schema": arguments } } },
        "responses": responses(&schema(&method.return_signature)),
    })
}

fn access(service: &str, property: &MetaProperty) -> Value {
    let value = schema(&property.signature);
    json!({
        "get": {
            "operationId": format!("{service}.{}:read", property.name),
            "tags": [service],
            "responses": responses(&value),
        },
        "put": {
            "operationId": format!("{service}.{}:write", property.name),
            "tags": [service],
            "requestBody": { "required": true, "content": { "application/json": { "schema": value } } },
            "responses": { "204": { "description": "It is set." }, "default": { "$ref": "#/components/responses/Problem" } },
        },
    })
}

fn events(service: &str, signal: &MetaSignal) -> Value {
    json!({
        "operationId": format!("{service}.{}:events", signal.name),
        "description": "Server-sent events; the data of each is the list of the signal's parameters.",
        "tags": [service],
        "parameters": [
            { "name": "Last-Event-ID", "in": "header", "schema": { "type": "string" } },
            { "name": "overflow", "in": "query",
              "schema": { "enum": ["drop-oldest", "latest", "disconnect", "block"], "default": "drop-oldest" } },
        ],
        "responses": {
            "200": { "description": "Events, until either side ends them.",
                     "content": { "text/event-stream": { "schema": schema(&signal.signature) } } },
            "default": { "$ref": "#/components/responses/Problem" },
        },
    })
}

fn responses(result: &Value) -> Value {
    json!({
        "200": { "description": "The result.", "content": { "application/json": { "schema": result } } },
        "default": { "$ref": "#/components/responses/Problem" },
    })
}

fn components() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "securitySchemes": {
            "bearer": { "type": "http", "scheme": "bearer" },
            "basic": { "type": "http", "scheme": "basic" },
        },
        "responses": {
            "Problem": {
                "description": "Why it was not done.",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            },
        },
        "schemas": {
            "Problem": {
                "type": "object",
                "properties": {
                    "type": text, "title": text, "status": { "type": "integer" }, "detail": text,
                    "code": text, "rule": text, "next": text,
                },
                "required": ["type", "title", "status", "detail", "code", "next"],
            },
            "Object": {
                "type": ["object", "null"],
                "properties": {
                    "$object": {
                        "type": "object",
                        "properties": { "id": text, "uid": text, "methods": { "type": "array", "items": text } },
                    },
                },
            },
        },
    })
}
