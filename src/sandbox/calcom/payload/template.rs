//! A subscription's own template replaces the whole body by whatever it says.

use serde_json::Value;

/// Fills in `{{name}}` and `{{a.b.c}}` from the payload, `{{triggerEvent}}` and `{{createdAt}}`. What is not
/// there becomes nothing.
pub(crate) fn fill(template: &str, body: &Value) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once("}}") else {
            rest = after;
            continue;
        };
        match look_up(body, name.trim()) {
            Some(Value::String(text)) => filled.push_str(text),
            Some(Value::Null) | None => {}
            Some(other) => filled.push_str(&other.to_string()),
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

fn look_up<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    let pointer: String = path.split('.').map(|step| format!("/{step}")).collect();
    body.pointer(&format!("/payload{pointer}")).or_else(|| body.pointer(&pointer))
}
