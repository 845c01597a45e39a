//! Up to ten requests in one. Each counts; all of them are answered, or none.

use std::sync::Arc;

use futures::future::join_all;
use http::Method;
use serde_json::{Map, Value, json};

use super::call::{Answer, Answered, Call};
use super::operation::Operation;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::refusal::Refusal;

const MOST: usize = 10;

pub(super) fn actions(data: &Map<String, Value>) -> Result<&[Value], Refusal> {
    let actions = data.get("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    match actions.len() {
        0 => Err(Refusal::bad("actions: Must not be empty")),
        1..=MOST => Ok(actions),
        _ => Err(Refusal::bad("actions: At most 10")),
    }
}

pub(super) async fn answer(inner: &Arc<Inner>, call: &Call) -> Answered {
    let actions = actions(&call.data)?;
    let done = join_all(actions.iter().map(|action| one(inner, call, action))).await;
    Ok(Answer { records: actions.len(), ..Answer::ok(Value::Array(done)) })
}

async fn one(inner: &Arc<Inner>, call: &Call, action: &Value) -> Value {
    let answered = match understood(call, action) {
        Ok(inside) => Box::pin(inside.perform(inner)).await,
        Err(refusal) => Err(refusal),
    };
    match answered {
        Ok(answer) => {
            json!({ "status_code": answer.status.as_u16(), "headers": {}, "body": answer.body })
        }
        Err(refusal) => {
            json!({ "status_code": refusal.status, "headers": {}, "body": refusal.body(call.now) })
        }
    }
}

fn understood(call: &Call, action: &Value) -> Result<Call, Refusal> {
    let path = action["relative_path"].as_str().unwrap_or_default();
    let method = action["method"].as_str().unwrap_or_default();
    let is_lower = method.chars().all(|letter| letter.is_ascii_lowercase());
    let upper = Method::from_bytes(method.to_uppercase().as_bytes());
    let method =
        upper.ok().filter(|_| is_lower).ok_or_else(|| Refusal::bad("method: Not a recognized value"))?;
    if path.contains('?') {
        return Err(Refusal::bad("relative_path: Must not have a query"));
    }
    let (operation, arguments) = Operation::of(&method, path).ok_or_else(Refusal::no_route)?;
    if operation == Operation::Batch {
        return Err(Refusal::bad("relative_path: Not possible inside a batch"));
    }
    let object = |key: &str| action[key].as_object().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (mut query, mut data) = (Vec::new(), object("data"));
    if method == Method::GET {
        query.extend(std::mem::take(&mut data).iter().map(|(name, value)| (name.clone(), text(value))));
    }
    let options = object("options");
    for name in ["limit", "offset"] {
        query.extend(options.get(name).map(|value| (name.to_owned(), text(value))));
    }
    Ok(Call {
        operation,
        arguments,
        path: path.to_owned(),
        query,
        grant: call.grant.clone(),
        data,
        options,
        now: call.now,
        faults: Vec::new(),
    })
}
