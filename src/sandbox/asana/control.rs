//! The control surface, for people who want to see something happen: everything under `/sandbox`.

use axum::extract::{Path, State};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::handle::Asana;
use super::person::{Person, ProjectEdit};
use super::{Error, Gid, OooEntry, Refusal};
use crate::sandbox::control::{Answered, Body, Optional, Refused, done};
use told::Phase;

mod script;
mod told;

const HELP: &str = include_str!("control/help.txt");

pub(super) fn routes(asana: Asana) -> Router {
    let sandbox = Router::new()
        .route("/", get(async || HELP))
        .route("/tick", post(tick))
        .route("/tasks", get(tasks).post(create))
        .route("/tasks/{gid}", get(task).put(change))
        .route("/tasks/{gid}/{verb}", post(act))
        .route("/projects", get(projects).post(create_project))
        .route("/projects/{gid}/{verb}", post(act_on_project))
        .route("/absences", get(absences).post(take_leave))
        .route("/absences/{gid}", delete(cancel_leave))
        .route("/users", get(script::users))
        .route("/users/{gid}/tokens", post(script::add_token))
        .route("/workspaces", get(script::workspaces))
        .route("/fields", get(script::fields))
        .route("/webhooks", get(script::webhooks))
        .route("/webhooks/{gid}", delete(script::drop_webhook))
        .route("/webhooks/{gid}/beat", post(script::beat))
        .route("/webhooks/{gid}/send", post(script::send))
        .route("/events", get(script::events))
        .route("/requests", get(script::requests).delete(script::forget_requests))
        .route("/counts", get(script::counts))
        .route("/deliveries", get(script::deliveries).delete(script::forget_deliveries))
        .route("/deliveries/{id}/again", post(script::again))
        .route("/release", post(script::release))
        .route("/faults", get(script::faults).post(script::add_fault).delete(script::clear_faults))
        .route("/faults/{id}", delete(script::remove_fault))
        .route("/settings", get(script::settings).put(script::set_settings))
        .route("/tokens/expire", post(script::expire))
        .route("/clock", get(script::clock).post(script::advance))
        .fallback(async || Refused::NoRoute);
    Router::new().route("/", get(async || HELP)).nest("/sandbox", sandbox).with_state(asana)
}

/// For a verb's body; each takes what it knows.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Act {
    /// The first user, if nobody is named.
    by: Option<Gid>,
    project: Option<Gid>,
    from: Option<Gid>,
    to: Option<Gid>,
    minutes: Option<u32>,
    day: Option<NaiveDate>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Leave {
    user: Gid,
    start_date: NaiveDate,
    end_date: NaiveDate,
}

fn person(asana: &Asana, by: Option<Gid>) -> Result<Person, Refused> {
    let users = asana.users();
    let known = users.iter().find(|user| by.is_none_or(|by| user.gid == by));
    Ok(asana.person(known.ok_or(Error::Unknown { noun: "user" })?.gid))
}

/// Somebody moves a phase.
async fn tick(State(asana): State<Asana>) -> Answered<Option<Phase>> {
    let moved = asana.invent_change(rand::random())?;
    Ok(Json(moved.map(|task| asana.told(&task))))
}

async fn tasks(State(asana): State<Asana>) -> Json<Vec<Phase>> {
    let there = asana.tasks();
    Json(there.iter().filter(|task| !task.is_trashed).map(|task| asana.told(task)).collect())
}

async fn task(State(asana): State<Asana>, Path(gid): Path<Gid>) -> Answered<Phase> {
    Ok(Json(told(&asana, gid)?))
}

fn told(asana: &Asana, gid: Gid) -> Result<Phase, Refused> {
    let task = asana.task(gid).ok_or(Error::Unknown { noun: "task" })?;
    Ok(asana.told(&task))
}

/// A body as of `POST /tasks`, with fields and options by name; `by` and `project` beside.
async fn create(State(asana): State<Asana>, body: Body<Map<String, Value>>) -> Answered<Phase> {
    let Json(mut data) = body?;
    let by = gid_of(&mut data, "by")?;
    let project = gid_of(&mut data, "project")?.ok_or(Refused::Missing("project"))?;
    asana.name_fields(&mut data)?;
    let gid = person(&asana, by)?.create_task(project, Value::Object(data))?;
    Ok(Json(told(&asana, gid)?))
}

/// A body as of `PUT /tasks/{}`, with fields and options by name; `by` beside.
async fn change(
    State(asana): State<Asana>,
    Path(gid): Path<Gid>,
    body: Body<Map<String, Value>>,
) -> Answered<Phase> {
    let Json(mut data) = body?;
    let by = gid_of(&mut data, "by")?;
    asana.name_fields(&mut data)?;
    person(&asana, by)?.change_task(gid, Value::Object(data))?;
    Ok(Json(told(&asana, gid)?))
}

fn gid_of(data: &mut Map<String, Value>, key: &'static str) -> Result<Option<Gid>, Refused> {
    match data.remove(key) {
        None => Ok(None),
        Some(value) => serde_json::from_value(value).map_err(|_| Refused::Missing(key)),
    }
}

async fn act(
    State(asana): State<Asana>,
    Path((gid, verb)): Path<(Gid, String)>,
    body: Optional<Act>,
) -> Answered<Phase> {
    let act = body?.map(|Json(act)| act).unwrap_or_default();
    let person = person(&asana, act.by)?;
    let today = asana.clock().now().date_naive();
    match verb.as_str() {
        "delete" => person.delete_task(gid),
        "undelete" => person.undelete_task(gid),
        "comment" => person.comment(gid)?,
        "add" => person.add_to_project(gid, act.project.ok_or(Refused::Missing("project"))?)?,
        "remove" => person.remove_from_project(gid, act.project.ok_or(Refused::Missing("project"))?)?,
        "move" => {
            let (from, to) =
                (act.from.ok_or(Refused::Missing("from"))?, act.to.ok_or(Refused::Missing("to"))?);
            person.move_task(gid, from, to)?;
        }
        "time" => {
            let minutes = act.minutes.ok_or(Refused::Missing("minutes"))?;
            person.log_time(gid, minutes, act.day.unwrap_or(today))?;
        }
        _ => return Err(Refused::NoRoute),
    }
    Ok(Json(told(&asana, gid)?))
}

async fn projects(State(asana): State<Asana>) -> Json<Value> {
    let told = |project: &super::Project| {
        json!({ "gid": project.gid, "name": project.name, "archived": project.archived,
                "deleted": project.is_trashed, "tasks": project.tasks.len() })
    };
    Json(asana.projects().iter().map(told).collect())
}

async fn create_project(State(asana): State<Asana>, body: Body<Act>) -> Answered<Value> {
    let Json(act) = body?;
    let workspace =
        asana.workspaces().first().map(|one| one.gid).ok_or(Error::Unknown { noun: "workspace" })?;
    let name = act.name.ok_or(Refused::Missing("name"))?;
    let person = person(&asana, act.by)?;
    let gid = person.create_project(workspace, &name)?;
    for field in asana.fields().iter().filter(|field| field.is_global) {
        person.attach_field(gid, field.gid)?;
    }
    Ok(Json(json!({ "gid": gid })))
}

async fn act_on_project(
    State(asana): State<Asana>,
    Path((gid, verb)): Path<(Gid, String)>,
    body: Optional<Act>,
) -> Answered<Value> {
    let act = body?.map(|Json(act)| act).unwrap_or_default();
    let person = person(&asana, act.by)?;
    let archive = |archived| ProjectEdit { archived: Some(archived), ..ProjectEdit::default() };
    match verb.as_str() {
        "archive" => person.edit_project(gid, archive(true))?,
        "unarchive" => person.edit_project(gid, archive(false))?,
        "rename" => {
            let name = Some(act.name.ok_or(Refused::Missing("name"))?);
            person.edit_project(gid, ProjectEdit { name, ..ProjectEdit::default() })?;
        }
        "delete" => person.delete_project(gid)?,
        "undelete" => person.undelete_project(gid)?,
        _ => return Err(Refused::NoRoute),
    }
    Ok(done())
}

async fn absences(State(asana): State<Asana>) -> Json<Vec<OooEntry>> {
    Json(asana.absences())
}

async fn take_leave(State(asana): State<Asana>, body: Body<Leave>) -> Answered<Value> {
    let Json(leave) = body?;
    let workspaces = asana.workspaces();
    let home = workspaces.iter().find(|one| one.members.iter().any(|member| member.user == leave.user));
    let home = home.ok_or(Error::Unknown { noun: "user" })?.gid;
    let gid = asana.person(leave.user).take_leave(home, leave.start_date, leave.end_date)?;
    Ok(Json(json!({ "gid": gid })))
}

async fn cancel_leave(State(asana): State<Asana>, Path(gid): Path<Gid>) -> Json<Value> {
    if let Some(user) = asana.users().first() {
        asana.person(user.gid).cancel_leave(gid);
    }
    done()
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Double(error.http_status(), error.to_string())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Error::from(refusal).into()
    }
}
