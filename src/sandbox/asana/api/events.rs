//! Event streams.

use serde_json::{Value, json};

use super::call::{Answer, Answered, Call};
use super::operation::Operation;
use crate::sandbox::asana::event::SyncToken;
use crate::sandbox::asana::faults::Fault;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::refusal::Refusal;

pub(super) fn answer(inner: &Inner, call: &Call) -> Answered {
    // Service accounts of Enterprise+ domains only.
    if call.operation == Operation::GetWorkspaceEvents {
        return Err(Refusal::forbidden());
    }
    let mut world = inner.world_mut();
    let text = call.required("resource")?;
    let (resource, workspace) = world.watchable(text, call.user(), call.app())?;
    if resource == workspace {
        return Err(Refusal::bad("resource: Streams are for tasks, projects and goals"));
    }
    if call.suffers(&Fault::SyncTokenExpired) {
        let fresh = world.log.begin(resource, call.now);
        return Err(Refusal::sync(fresh.text()));
    }
    let token = call.parameter("sync").filter(|text| !text.is_empty()).and_then(SyncToken::parse);
    let spans = (inner.settings.sync_token_lifetime, inner.settings.event_delay);
    let page = token.and_then(|token| world.log.read(token, resource, spans, call.now));
    let Some(page) = page else {
        let fresh = world.log.begin(resource, call.now);
        return Err(Refusal::sync(fresh.text()));
    };
    let shape = call.shape();
    let data: Vec<Value> = page.events.iter().map(|event| world.show_event(event, &shape)).collect();
    let records = data.len();
    let body = json!({ "data": data, "sync": page.next.text(), "has_more": page.has_more });
    Ok(Answer { records, ..Answer::raw(body) })
}
