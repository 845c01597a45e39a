//! Events: what changed, never what it is now. Read from the event stream and from webhooks, which say the
//! same with fewer values.

use std::fmt;

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::Value;

use super::answer::Answer;
use super::error::CallError;
use super::page::{Unfit, read_all};
use super::request::Request;
use super::{Asana, verdict};
use crate::provider::call::Effect;
use crate::provider::fields::{Fields, is_key};
use crate::provider::names::names;

/// What the event stream answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Events {
    Page(EventPage),
    /// There is no way on from that token, or none was given: read everything anew, then go on with this one.
    /// Take it before the reading begins, so that nothing falls between.
    Restart {
        sync: String,
    },
}

/// One answer of an event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    pub events: Vec<Event>,
    pub unfit: Vec<Unfit>,
    /// The newest token; asking again with an older one is not possible.
    pub sync: String,
    /// More events wait.
    pub has_more: bool,
}

/// One change. It has no id; values are not read, because only those that are records are ever told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub action: Action,
    /// What changed; not what is subscribed.
    pub resource: Resource,
    /// What it was added to or removed from.
    pub parent: Option<Resource>,
    /// With [`Action::Changed`] only.
    pub change: Option<Change>,
    /// Who did it, by gid; None when Asana did.
    pub user: Option<String>,
    pub created_at: Option<DateTime<Utc>>,
}

/// A record that an event names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub gid: String,
    pub kind: ResourceKind,
    pub subtype: Option<String>,
}

/// What of a record has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As in `due_on` or `custom_fields`.
    pub field: String,
    pub action: Option<Action>,
    /// The gid of the value that came, where that is a record:
    /// of a custom field's change at most the field's.
    pub value: Option<String>,
}

/// What happened to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Changed,
    /// Made, or moved into the parent.
    Added,
    /// Out of the parent; it may live on elsewhere.
    Removed,
    /// In the trash.
    Deleted,
    /// Back from it.
    Undeleted,
    Other(String),
}

/// What a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    Task,
    Project,
    Section,
    Story,
    Workspace,
    CustomField,
    Other(String),
}

const EVENT: &[&str] = &[
    "action",
    "resource",
    "parent",
    "user",
    "created_at",
    "change",
    "change.field",
    "change.action",
    "change.new_value",
    "change.added_value",
    "change.removed_value",
];
const MAX_SYNC_CHARS: usize = 2000;

impl Asana<'_> {
    /// What changed in a project or task since `sync`; up to 100 events, so ask again while there are more.
    /// Without a token [`Events::Restart`] is the ordinary answer.
    pub async fn events(&self, resource: &str, sync: Option<&str>) -> Result<Events, CallError> {
        let request =
            Request::get(&["events"]).query("resource", resource).query_if("sync", sync).fields(EVENT);
        let fetched = self.fetch(request).await?;
        if fetched.status == StatusCode::PRECONDITION_FAILED {
            let root: Value = serde_json::from_slice(&fetched.body).unwrap_or(Value::Null);
            let sync = Fields::of(&root).and_then(token);
            let unfit = CallError::UnexpectedShape { what: "sync", may_be_done: false };
            return sync.map(|sync| Events::Restart { sync }).ok_or(unfit);
        }
        if !fetched.status.is_success() {
            return Err(verdict::of(Effect::Read, &fetched));
        }
        let answer = Answer::read(Effect::Read, &fetched)?;
        let sync = answer.root().and_then(token).ok_or_else(|| answer.unfit("sync"))?;
        let has_more = answer.root().and_then(|root| root.flag("has_more")).unwrap_or_default();
        let (events, unfit) = read_all(answer.list()?, Event::of);
        Ok(Events::Page(EventPage { events, unfit, sync, has_more }))
    }
}

fn token(fields: Fields<'_>) -> Option<String> {
    let text = fields.get("sync")?.as_str()?;
    let fits = text.len() <= MAX_SYNC_CHARS && !text.is_empty() && !text.chars().any(char::is_whitespace);
    fits.then(|| text.to_owned())
}

impl Event {
    pub(super) fn of(fields: Fields<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            action: fields.text("action").map(Action::of).ok_or("action")?,
            resource: fields.object("resource").and_then(Resource::of).ok_or("resource")?,
            parent: fields.object("parent").and_then(Resource::of),
            change: fields.object("change").and_then(Change::of),
            user: fields.object("user").and_then(|user| user.key("gid")),
            created_at: fields.time("created_at"),
        })
    }
}

impl Resource {
    fn of(fields: Fields<'_>) -> Option<Self> {
        Some(Self {
            gid: fields.key("gid")?,
            kind: ResourceKind::of(fields.text("resource_type").unwrap_or_default()),
            subtype: fields.text("resource_subtype"),
        })
    }
}

impl Change {
    fn of(fields: Fields<'_>) -> Option<Self> {
        let value = ["new_value", "added_value", "removed_value"].into_iter();
        Some(Self {
            field: fields.text("field").filter(|field| is_key(field))?,
            action: fields.text("action").map(Action::of),
            value: value.filter_map(|name| fields.object(name)?.key("gid")).next(),
        })
    }
}

names! {
    Action {
        Changed = "changed",
        Added = "added",
        Removed = "removed",
        Deleted = "deleted",
        Undeleted = "undeleted",
    } else Other(String::from)
}

names! {
    ResourceKind {
        Task = "task",
        Project = "project",
        Section = "section",
        Story = "story",
        Workspace = "workspace",
        CustomField = "custom_field",
    } else Other(String::from)
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
