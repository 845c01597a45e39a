//! Webhook subscriptions: per app and user, on one resource, with filters.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::event::{Event, Noun};
use super::gid::Gid;
use super::refusal::Refusal;
use super::shape::{Shape, Shown};
use super::show;
use super::world::World;

/// An empty delivery so often.
pub(crate) const HEARTBEAT: TimeDelta = TimeDelta::hours(8);
/// Deleted when nothing was taken for so long.
pub(crate) const LIFE: TimeDelta = TimeDelta::hours(24);
/// Most subscriptions of one resource, all apps together.
const MOST_PER_RESOURCE: usize = 1000;
/// What a subscription of a workspace can hear of; never of tasks.
const OF_WORKSPACES: [&str; 3] = ["project", "team_membership", "workspace_membership"];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    pub gid: Gid,
    pub app: String,
    pub user: Gid,
    pub resource: Gid,
    pub workspace: Gid,
    pub target: String,
    pub filters: Vec<Filter>,
    /// Told once: in the handshake and in the answer to the request that made it.
    pub secret: String,
    pub active: bool,
    pub created_at: DateTime<Utc>,
    pub last_success_at: Option<DateTime<Utc>>,
    pub last_failure_at: Option<DateTime<Utc>>,
    pub last_failure_content: Option<String>,
    pub retries: u32,
    pub next_attempt_after: Option<DateTime<Utc>>,
    /// When the next heartbeat is due.
    pub heartbeat_at: DateTime<Utc>,
    /// Since when nothing was taken.
    pub failing_since: Option<DateTime<Utc>>,
}

/// Each of its conditions must hold; an event passes if any filter lets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_subtype: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
}

impl Filter {
    fn passes(&self, event: &Event) -> bool {
        let is =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let field = event.change.as_ref().map(|change| change.field);
        let has_field = self
            .fields
            .as_ref()
            .is_none_or(|fields| field.is_some_and(|field| fields.iter().any(|wanted| wanted == field)));
        is(&self.resource_type, event.resource.noun.word())
            && is(&self.resource_subtype, event.resource.subtype.unwrap_or_default())
            && is(&self.action, event.action.word())
            && has_field
    }
}

impl Webhook {
    pub(crate) fn hears(&self, event: &Event) -> bool {
        let is_of_workspace = self.resource == self.workspace;
        let reaches = !is_of_workspace || OF_WORKSPACES.contains(&event.resource.noun.word());
        self.active
            && reaches
            && event.within.contains(&self.resource)
            && (self.filters.is_empty() || self.filters.iter().any(|filter| filter.passes(event)))
    }

    pub(crate) fn took(&mut self, now: DateTime<Utc>) {
        self.last_success_at = Some(now);
        (self.retries, self.next_attempt_after, self.failing_since) = (0, None, None);
    }

    pub(crate) fn refused(&mut self, content: String, retry_at: DateTime<Utc>, now: DateTime<Utc>) {
        self.last_failure_at = Some(now);
        self.last_failure_content = Some(content);
        self.retries += 1;
        self.next_attempt_after = Some(retry_at);
        self.failing_since = self.failing_since.or(Some(now));
    }

    pub(crate) fn is_dead(&self, now: DateTime<Utc>) -> bool {
        self.failing_since.is_some_and(|since| now - since >= LIFE)
    }
}

/// The events as a delivery tells them: ids and types only.
pub(crate) fn body(events: &[Event]) -> Value {
    let events: Vec<Value> = events.iter().map(show::event_of_webhook).collect();
    json!({ "events": events })
}

impl World {
    /// What is asked for, if it can be had.
    pub(crate) fn plan_webhook(
        &self,
        (app, user): (&str, Gid),
        (resource, target): (&str, &str),
        filters: Vec<Filter>,
        secret: String,
        now: DateTime<Utc>,
    ) -> Result<Webhook, Refusal> {
        let (resource, workspace) = self.watchable(resource, user, app)?;
        if resource == workspace {
            check_workspace_filters(&filters)?;
        }
        let is_twin = |one: &&Webhook| {
            one.app == app && one.user == user && one.resource == resource && one.target == target
        };
        if self.webhooks.values().any(|one| is_twin(&one)) {
            return Err(Refusal::new(403, "Duplicated webhook"));
        }
        if self.webhooks.values().filter(|one| one.resource == resource).count() >= MOST_PER_RESOURCE {
            return Err(Refusal::forbidden());
        }
        Ok(Webhook {
            gid: Gid::ZERO,
            app: app.to_owned(),
            user,
            resource,
            workspace,
            target: target.to_owned(),
            filters,
            secret,
            active: true,
            created_at: now,
            last_success_at: None,
            last_failure_at: None,
            last_failure_content: None,
            retries: 0,
            next_attempt_after: None,
            heartbeat_at: now + HEARTBEAT,
            failing_since: None,
        })
    }

    pub(crate) fn add_webhook(&mut self, webhook: Webhook) -> Gid {
        let gid = self.next();
        self.webhooks.insert(gid, Webhook { gid, ..webhook });
        gid
    }

    /// Only the app's own, of this user.
    pub(crate) fn webhook_of(&self, text: &str, app: &str, user: Gid) -> Result<&Webhook, Refusal> {
        let found = text.parse().ok().and_then(|gid| self.webhooks.get(&gid));
        let found = found.filter(|one| one.app == app && one.user == user);
        found.ok_or_else(|| Refusal::unknown("webhook", text))
    }

    /// What a stream or a webhook can be about, with its workspace.
    pub(crate) fn watchable(&self, text: &str, user: Gid, app: &str) -> Result<(Gid, Gid), Refusal> {
        let unknown = || Refusal::unknown_in("resource", text);
        let gid: Gid = text.parse().map_err(|_| unknown())?;
        if self.workspaces.contains_key(&gid) {
            return Ok((self.workspace_of(text, user)?.gid, gid));
        }
        if self.projects.get(&gid).is_some_and(|project| !project.is_trashed) {
            let project = self.project_of(text, user)?;
            return Ok((gid, project.workspace));
        }
        let task = self
            .task_of(text, user, app)
            .map_err(|refusal| if refusal.status == 404 { unknown() } else { refusal })?;
        Ok((task.gid, task.workspace))
    }

    pub(crate) fn show_webhook(&self, webhook: &Webhook, shape: &Shape) -> Value {
        let resource = |shape: &Shape| {
            let noun = match webhook.resource {
                gid if gid == webhook.workspace => Noun::Workspace,
                gid if self.projects.contains_key(&gid) => Noun::Project,
                _ => Noun::Task,
            };
            self.show_ref(webhook.resource, noun, shape)
        };
        let time = |time: Option<DateTime<Utc>>| time.map(show::stamp);
        let shown = Shown::of(shape, webhook.gid, "webhook")
            .compact("active", || webhook.active)
            .compact_record("resource", resource)
            .compact("target", || webhook.target.clone())
            .full("created_at", || show::stamp(webhook.created_at))
            .full("filters", || json!(webhook.filters))
            .full("delivery_retry_count", || webhook.retries);
        let dies_at = webhook.failing_since.map(|since| since + LIFE);
        // What never happened is left out: the description knows no null there.
        [
            ("last_success_at", time(webhook.last_success_at)),
            ("last_failure_at", time(webhook.last_failure_at)),
            ("last_failure_content", webhook.last_failure_content.clone()),
            ("next_attempt_after", time(webhook.next_attempt_after)),
            ("failure_deletion_timestamp", time(dies_at)),
        ]
        .into_iter()
        .fold(shown, |shown, (name, value)| match value {
            Some(value) => shown.full(name, || value),
            None => shown,
        })
        .done()
    }
}

pub(crate) fn check_workspace_filters(filters: &[Filter]) -> Result<(), Refusal> {
    let is_allowed = |filter: &Filter| {
        filter.fields.is_none()
            && filter.resource_type.as_deref().is_some_and(|noun| OF_WORKSPACES.contains(&noun))
    };
    if filters.is_empty() {
        return Err(Refusal::bad("filters: Webhooks on workspaces, teams and portfolios must have filters"));
    }
    if filters.iter().all(is_allowed) {
        Ok(())
    } else {
        Err(Refusal::bad("filters: Not supported for this resource"))
    }
}
