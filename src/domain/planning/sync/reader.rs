//! Who reads: one integration's planning tool, with what its ids mean here, for as long as one piece of work
//! takes.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    estimate::Pace,
    guard,
    hints::Hints,
    take_in::{self, Once, PageRead, Taken},
    understand::Dictionary,
};
use crate::{
    domain::{
        consent,
        engine::{
            provider_call::{self, CallFailure, HeldPlace, Urgency, Way},
            record::{Ground, Stop},
        },
    },
    error::{Error, Result},
    ids::{IntegrationId, ProjectId},
    provider::{
        asana::{CallError, Offset, Refusal, Task},
        call::Class,
    },
    store::{
        self, TenantTx,
        planning::settings::{AreaMapping, PlanningSettings},
    },
    words::ConsentScope,
};

pub(super) struct Reader<'a> {
    pub(super) ground: &'a Ground<'a>,
    pub(super) settings: PlanningSettings,
    /// The workspace's id at the tool.
    pub(super) workspace: String,
    pub(super) dictionary: Dictionary,
    /// What changes are caused by.
    pub(super) cause: String,
    /// Whether webhooks should have told of what is found.
    pub(super) should_be_told: bool,
    /// A person said that what is not there any more, however much it is, was meant to go.
    pub(super) accepts_deletions: bool,
    pub(super) pace: Pace,
    /// By how much the database's clock is ahead of this machine's.
    ahead: TimeDelta,
    requests: AtomicU64,
}

/// What came of a question about one record.
pub(super) enum Answer<T> {
    Here(T),
    /// Deleted, never there, or out of sight.
    Gone,
    /// There, but not for us.
    Closed,
}

/// What becomes of a question that may not be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The work is put off, because it goes on where it was.
    GivenUp,
    /// It is waited for, because the work would begin anew.
    Held,
}

/// Why the tool gave no answer to work with.
pub(super) type Failure = CallFailure<Refusal>;

/// Projects that are read at the same time.
pub(super) const AT_ONCE: u32 = 4;
/// How long after an answer got lost it is asked for again.
const LOST_AGAIN: Duration = Duration::from_millis(500);
/// Tries of a page whose phases somebody else is adding at the same time.
const TRIES: usize = 5;

impl Place {
    /// Of a list that nobody keeps the place in: it begins anew with its first page.
    pub(super) fn in_list(from: Option<&Offset>) -> Self {
        if from.is_some() { Self::Held } else { Self::GivenUp }
    }
}

impl<'a> Reader<'a> {
    /// None: the onboarding is not far enough for anything to be read.
    pub(super) async fn open(ground: &'a Ground<'a>, cause: &str) -> Result<Option<Self>, Stop> {
        let mut tx = ground.tx().await?;
        let Some(settings) = store::planning::settings::find(&mut tx, ground.id()).await? else {
            return Ok(None);
        };
        let Some(workspace) = settings.workspace_id.clone() else { return Ok(None) };
        if settings.area_field_id.is_none() {
            return Ok(None);
        }
        check_consent(&mut tx, ground.id(), ConsentScope::Planning).await?;
        let dictionary = whole_dictionary(&mut tx, &settings).await?;
        let flow = store::integration_flow::find(&mut tx, ground.id()).await?;
        tx.end_reading();
        let pace = flow.map_or(Pace { burst: 0.0, per_second: 1.0, at_once: AT_ONCE }, |flow| Pace {
            burst: flow.capacity,
            per_second: flow.refill_per_s,
            at_once: AT_ONCE,
        });
        let before = Utc::now();
        let theirs = ground.domain.store.clock().await?;
        let between = before + (Utc::now() - before) / 2;
        let should_be_told = settings.webhooks_time.is_some();
        Ok(Some(Self {
            ground,
            settings,
            workspace,
            dictionary,
            cause: cause.into(),
            should_be_told,
            accepts_deletions: false,
            pace,
            ahead: theirs - between,
            requests: AtomicU64::new(0),
        }))
    }

    pub(super) fn id(&self) -> IntegrationId {
        self.ground.id()
    }

    /// The time as the database tells it, which is one for all instances.
    pub(super) fn now(&self) -> DateTime<Utc> {
        crate::domain::integration::micros(Utc::now() + self.ahead)
    }

    /// The tool's id of a project whose tasks are phases.
    pub(super) fn gid_of(&self, project: ProjectId) -> Option<String> {
        let mut projects = self.dictionary.projects.iter();
        projects.find(|(_, id)| **id == project).map(|(gid, _)| gid.clone())
    }

    /// Requests that were made and not counted yet.
    pub(super) fn uncounted(&self) -> u64 {
        self.requests.swap(0, Ordering::Relaxed)
    }

    /// Whether anything was asked by now, and is not counted yet.
    pub(super) fn has_asked(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }

    /// Whether so many of `known` cannot go without somebody having been asked.
    pub(super) fn must_ask(&self, gone: u64, known: u64) -> bool {
        let share = f64::from(self.settings.deletion_guard_percent) / 100.0;
        !self.accepts_deletions && guard::are_too_many(gone, known, share)
    }

    /// Whether it is only for one kind of data that the leave is missing, so that the others can be read.
    pub(super) async fn can_go_on(&self, stop: &Stop) -> Result<bool> {
        if !matches!(stop, Stop::Ended(consent::MISSING)) {
            return Ok(false);
        }
        let mut tx = self.tx().await?;
        let is_let = consent::covers(&mut tx, self.id(), ConsentScope::Planning).await?;
        tx.end_reading();
        Ok(is_let)
    }

    pub(super) async fn tx(&self) -> Result<TenantTx> {
        self.ground.tx().await
    }

    /// Loads again what the tool's ids mean here, after users and projects were read.
    pub(super) async fn learn(&mut self) -> Result<()> {
        let mut tx = self.tx().await?;
        self.dictionary = whole_dictionary(&mut tx, &self.settings).await?;
        tx.end_reading();
        Ok(())
    }

    /// Asks once, or puts the work off. With the answer comes when it was asked for.
    pub(super) async fn ask<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        call: impl Fn(Arc<Way>) -> F,
    ) -> Result<(T, DateTime<Utc>), Failure> {
        self.ask_at(Place::GivenUp, call).await
    }

    /// The same, at a place that may have to be held.
    pub(super) async fn ask_at<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        place: Place,
        call: impl Fn(Arc<Way>) -> F,
    ) -> Result<(T, DateTime<Utc>), Failure> {
        let (domain, tenant) = (self.ground.domain, self.ground.tenant);
        let (mut is_second, held) = (false, HeldPlace::default());
        loop {
            // Before the permit: what is taken for older than it is, is only read again.
            let asked = self.now();
            let answer = provider_call::asana(domain, tenant, self.id(), Urgency::Background, &call).await;
            let is_made = !matches!(answer, Err(CallFailure::NotNow { .. }));
            self.requests.fetch_add(u64::from(is_made), Ordering::Relaxed);
            match answer {
                // A run of a thousand pages must not use up its attempts by the few that get lost.
                Err(CallFailure::Call(error)) if error.class() == Class::Transient && !is_second => {
                    is_second = true;
                    tokio::time::sleep(LOST_AGAIN).await;
                }
                Err(failure) if place == Place::Held => held.wait(failure).await?,
                answer => return Ok((answer?, asked)),
            }
        }
    }

    /// Reads one task.
    pub(super) async fn task(&self, place: Place, gid: &str) -> Result<(Answer<Task>, DateTime<Utc>), Stop> {
        let asked = self.now();
        match self.ask_at(place, |way| async move { way.asana().task(gid).await }).await {
            Ok((task, asked)) => Ok((Answer::Here(task), asked)),
            Err(failure) => Ok((missing(failure)?, asked)),
        }
    }

    /// Makes what is here what was read; `page` is noted together with it.
    pub(super) async fn take_in(
        &self,
        tasks: &[Task],
        hints: Option<&Hints>,
        asked: DateTime<Utc>,
        page: Option<&PageRead<'_>>,
    ) -> Result<Taken, Stop> {
        for _ in 0..TRIES {
            let once = store::retry_deadlocks(|| take_in::once(self, tasks, hints, asked, page)).await;
            match once? {
                Once::Done(taken) => return Ok(taken),
                Once::Stopped(stop) => return Err(stop),
                // The others' phases are there now.
                Once::Again => {}
            }
        }
        Err(Stop::Failed(Error::internal("phases are being added elsewhere again and again")))
    }
}

/// What the tool's ids mean here, those of all its users and projects included.
async fn whole_dictionary(tx: &mut TenantTx, settings: &PlanningSettings) -> Result<Dictionary> {
    let id = settings.integration_id;
    let options = store::planning::settings::area_mappings(tx, id).await?;
    let users = store::planning::user::all_of(tx, id).await?;
    let projects = store::planning::project_cursor::readable(tx, id).await?;
    let archived = store::planning::project_cursor::archived(tx, id).await?;
    Ok(Dictionary {
        users: users.into_iter().map(|user| (user.external_id, user.id)).collect(),
        projects: projects.into_iter().collect(),
        archived: archived.into_iter().collect(),
        ..dictionary(tx, settings, &options).await?
    })
}

/// What the tool's ids mean here that one task names, however many users and projects there are.
pub(in crate::domain::planning) async fn dictionary_for(
    tx: &mut TenantTx,
    settings: &PlanningSettings,
    options: &[AreaMapping],
    task: &Task,
) -> Result<Dictionary> {
    let id = settings.integration_id;
    let mut users = HashMap::new();
    if let Some(assignee) = &task.assignee
        && let Some(user) = store::planning::user::find_by_external_id(tx, id, assignee).await?
    {
        users.insert(user.external_id, user.id);
    }
    let projects: Vec<&str> = task.memberships.iter().map(|at| at.project.as_str()).collect();
    let projects = store::planning::project_cursor::with_phases(tx, id, &projects).await?;
    let projects = projects.into_iter().collect();
    Ok(Dictionary { users, projects, ..dictionary(tx, settings, options).await? })
}

/// What the values of any task mean here.
async fn dictionary(
    tx: &mut TenantTx,
    settings: &PlanningSettings,
    options: &[AreaMapping],
) -> Result<Dictionary> {
    let tenant = store::tenant::current(tx).await?;
    let health = store::planning::health::find(tx, settings.integration_id).await?;
    Ok(Dictionary {
        // Checked when it was set.
        zone: tenant.time_zone.parse().unwrap_or_default(),
        area_field: settings.area_field_id.clone(),
        hours_field: settings.hours_field_id.clone(),
        hours_precision: settings.hours_precision,
        areas: options.iter().filter_map(|one| Some((one.option_id.clone(), one.area?))).collect(),
        skew: TimeDelta::milliseconds(health.clock_skew_ms),
        ..Dictionary::default()
    })
}

/// Asked again in every transaction that keeps what was read: a consent can be revoked in the middle of a
/// run. Errors: `Stop::Ended` without leave for this kind of data.
pub(super) async fn check_consent(
    tx: &mut TenantTx,
    integration: IntegrationId,
    scope: ConsentScope,
) -> Result<(), Stop> {
    let is_given = consent::covers(tx, integration, scope).await?;
    if is_given { Ok(()) } else { Err(Stop::Ended(consent::MISSING)) }
}

/// A record that cannot be read because of itself; everything else stops.
pub(super) fn missing<T>(failure: Failure) -> Result<Answer<T>, Stop> {
    match refusal(&failure) {
        Some(Refusal::NotFound) => Ok(Answer::Gone),
        Some(Refusal::NotAllowed) => Ok(Answer::Closed),
        _ => Err(failure.into()),
    }
}

/// What the tool refused; everything else stops.
pub(super) fn refused(failure: Failure) -> Result<Refusal, Stop> {
    refusal(&failure).cloned().ok_or_else(|| failure.into())
}

/// What the tool refused, if that is why there is no answer.
pub(super) fn refusal(failure: &Failure) -> Option<&Refusal> {
    match failure {
        CallFailure::Call(CallError::Refused(refusal)) => Some(refusal),
        _ => None,
    }
}
