//! What happened: events, kept for a while, read by streams and sent by webhooks.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::gid::Gid;
use super::world::World;

/// Most events one page of a stream has.
pub(crate) const PAGE: usize = 100;

/// Events have no id at Asana; none is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    pub time: DateTime<Utc>,
    /// `None`: the system's own.
    pub user: Option<Gid>,
    pub action: Action,
    pub resource: Ref,
    /// Of added and removed: where to, where from.
    pub parent: Option<Ref>,
    pub change: Option<Change>,
    /// The resources whose streams and webhooks have it.
    pub within: Vec<Gid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Changed,
    Added,
    Removed,
    Deleted,
    Undeleted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ref {
    pub gid: Gid,
    pub noun: Noun,
    pub subtype: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Noun {
    Workspace,
    User,
    Project,
    Section,
    Task,
    Story,
    CustomField,
    EnumOption,
    WorkspaceMembership,
}

impl Noun {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::User => "user",
            Self::Project => "project",
            Self::Section => "section",
            Self::Task => "task",
            Self::Story => "story",
            Self::CustomField => "custom_field",
            Self::EnumOption => "enum_option",
            Self::WorkspaceMembership => "workspace_membership",
        }
    }
}

impl Action {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Deleted => "deleted",
            Self::Undeleted => "undeleted",
        }
    }
}

/// Of which field, and the new value only where that is a thing of Asana's: never a date, a number, a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub field: &'static str,
    pub action: Action,
    pub new_value: Option<Ref>,
}

/// The last so many events, and what streams have read of them. Events are not kept for another life: tokens
/// of streams that were not read to their end are dead then.
#[derive(Serialize, Deserialize)]
pub(crate) struct Log {
    most: usize,
    #[serde(skip)]
    events: VecDeque<Event>,
    /// Ever written.
    count: u64,
    /// By stream: how far it was read.
    streams: HashMap<u64, u64>,
    /// Tokens of streams up to this one are dead.
    expired: u64,
}

/// Which stream of which resource, how far, since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SyncToken {
    resource: Gid,
    stream: u64,
    place: u64,
    issued_at: i64,
}

impl SyncToken {
    pub(crate) fn text(self) -> String {
        let Self { resource, stream, place, issued_at } = self;
        format!("{:032x}", u128::from(stream) << 64 | u128::from(place))
            + &format!("-{resource}-{issued_at:x}")
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (first, rest) = text.split_once('-')?;
        let (resource, issued_at) = rest.split_once('-')?;
        let both = u128::from_str_radix(first, 16).ok()?;
        Some(Self {
            resource: resource.parse().ok()?,
            stream: u64::try_from(both >> 64).ok()?,
            place: u64::try_from(both & u128::from(u64::MAX)).ok()?,
            issued_at: i64::from_str_radix(issued_at, 16).ok()?,
        })
    }
}

/// A page of a stream.
pub(crate) struct Page {
    pub(crate) events: Vec<Event>,
    pub(crate) next: SyncToken,
    pub(crate) has_more: bool,
}

impl Log {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, events: VecDeque::new(), count: 0, streams: HashMap::new(), expired: 0 }
    }

    pub(crate) fn all(&self) -> Vec<Event> {
        self.events.iter().cloned().collect()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// What was written since.
    pub(crate) fn since(&self, count: u64) -> Vec<Event> {
        let first = self.count - self.events.len() as u64;
        let skipped = usize::try_from(count.saturating_sub(first)).unwrap_or(usize::MAX);
        self.events.iter().skip(skipped).cloned().collect()
    }

    /// Makes as if what was written since never happened.
    pub(crate) fn forget_since(&mut self, count: u64) {
        let fresh = usize::try_from(self.count - count).unwrap_or(usize::MAX);
        self.events.truncate(self.events.len().saturating_sub(fresh));
        self.count = count;
    }

    fn push(&mut self, event: Event) {
        self.count += 1;
        self.events.push_back(event);
        if self.events.len() > self.most {
            self.events.pop_front();
        }
    }

    /// A token from which what happens from now on can be read.
    pub(crate) fn begin(&mut self, resource: Gid, now: DateTime<Utc>) -> SyncToken {
        let stream = self.expired + self.streams.len() as u64 + 1;
        let place = self.count;
        self.streams.insert(stream, place);
        SyncToken { resource, stream, place, issued_at: now.timestamp() }
    }

    /// Ends every token there is, as under load.
    pub(crate) fn expire(&mut self) {
        self.expired += self.streams.len() as u64;
        self.streams.clear();
    }

    /// `None`: the token is no good (any more). One that was read past is none.
    pub(crate) fn read(
        &mut self,
        token: SyncToken,
        resource: Gid,
        (lifetime, delay): (TimeDelta, TimeDelta),
        now: DateTime<Utc>,
    ) -> Option<Page> {
        let first = self.count - self.events.len() as u64;
        let read_to = *self.streams.get(&token.stream)?;
        let is_old = now.timestamp() - token.issued_at > lifetime.num_seconds();
        if token.resource != resource || is_old || token.place < read_to || token.place < first {
            return None;
        }
        self.streams.insert(token.stream, token.place);
        let mut place = token.place;
        let mut events = Vec::new();
        let skipped = usize::try_from(token.place - first).unwrap_or(usize::MAX);
        let mut has_more = false;
        for event in self.events.iter().skip(skipped).take_while(|event| event.time + delay <= now) {
            let is_ours = event.within.contains(&resource);
            if is_ours && events.len() == PAGE {
                has_more = true;
                break;
            }
            place += 1;
            if is_ours {
                events.push(event.clone());
            }
        }
        let next = SyncToken { place, issued_at: now.timestamp(), ..token };
        Some(Page { events, next, has_more })
    }
}

impl World {
    pub(crate) fn tell(
        &mut self,
        user: Option<Gid>,
        action: Action,
        resource: Ref,
        parent: Option<Ref>,
        within: &[Gid],
        time: DateTime<Utc>,
    ) {
        self.log.push(Event { time, user, action, resource, parent, change: None, within: within.to_vec() });
    }

    pub(crate) fn tell_change(
        &mut self,
        user: Option<Gid>,
        resource: Ref,
        change: Change,
        within: &[Gid],
        time: DateTime<Utc>,
    ) {
        let within = within.to_vec();
        let action = Action::Changed;
        self.log.push(Event { time, user, action, resource, parent: None, change: Some(change), within });
    }
}
