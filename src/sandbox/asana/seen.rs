//! What can be looked at.

use super::api::Operation;
use super::courier::Delivery;
use super::entry::{OooEntry, TimeEntry};
use super::event::Event;
use super::field::CustomField;
use super::gid::Gid;
use super::handle::Asana;
use super::people::{User, Workspace};
use super::project::Project;
use super::record::Recorded;
use super::task::Task;
use super::webhook::Webhook;

impl Asana {
    pub fn workspaces(&self) -> Vec<Workspace> {
        self.inner.world().workspaces.values().cloned().collect()
    }

    pub fn users(&self) -> Vec<User> {
        self.inner.world().users.values().cloned().collect()
    }

    pub fn fields(&self) -> Vec<CustomField> {
        self.inner.world().fields.values().cloned().collect()
    }

    pub fn field(&self, gid: Gid) -> Option<CustomField> {
        self.inner.world().fields.get(&gid).cloned()
    }

    pub fn projects(&self) -> Vec<Project> {
        self.inner.world().projects.values().cloned().collect()
    }

    pub fn project(&self, gid: Gid) -> Option<Project> {
        self.inner.world().projects.get(&gid).cloned()
    }

    /// Those in the trash too.
    pub fn tasks(&self) -> Vec<Task> {
        let mut tasks: Vec<Task> = self.inner.world().tasks.values().cloned().collect();
        tasks.sort_by_key(|task| task.gid);
        tasks
    }

    pub fn task(&self, gid: Gid) -> Option<Task> {
        self.inner.world().tasks.get(&gid).cloned()
    }

    pub fn time_entries(&self) -> Vec<TimeEntry> {
        self.inner.world().entries.values().cloned().collect()
    }

    pub fn absences(&self) -> Vec<OooEntry> {
        self.inner.world().absences.values().cloned().collect()
    }

    pub fn webhooks(&self) -> Vec<Webhook> {
        self.inner.world().webhooks.values().cloned().collect()
    }

    /// What happened, oldest first; the last `Settings::kept_events`.
    pub fn events(&self) -> Vec<Event> {
        self.inner.world().log.all()
    }

    /// Requests to the API, oldest first; the last `Settings::kept_requests`.
    pub fn requests(&self) -> Vec<Recorded> {
        self.inner.requests.all()
    }

    /// How often each route was asked for.
    pub fn counts(&self) -> Vec<(Operation, u64)> {
        self.inner.counts()
    }

    pub fn count(&self, operation: Operation) -> u64 {
        self.counts().into_iter().find(|(one, _)| *one == operation).map_or(0, |(_, count)| count)
    }

    /// Requests and counts.
    pub fn forget_requests(&self) {
        self.inner.requests.clear();
        self.inner.forget_counts();
    }

    /// Webhooks sent or not, oldest first; the last `Settings::kept_deliveries`.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.inner.courier.deliveries.all()
    }

    pub fn forget_deliveries(&self) {
        self.inner.courier.deliveries.clear();
    }
}
