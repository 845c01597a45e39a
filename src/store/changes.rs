//! What changed, told from instance to instance over one connection per process. Only a hint to look: some
//! are lost while that connection is down, so whoever waits for one also looks from time to time.
//!
//! Tables that change seldom tell it themselves (`stellwerk_tell`). Appointments change often, and a commit
//! that notifies waits for every other one that does: their hints are gathered and sent after the commit.

use std::{
    collections::HashSet,
    mem,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use diesel::{
    sql_query,
    sql_types::{Array, Uuid as SqlUuid},
};
use diesel_async::{
    AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection,
    pooled_connection::deadpool::{Object, Pool},
};
use futures::{StreamExt, future::pending};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::sleep,
};
use uuid::Uuid;

use super::{Cached, Store};
use crate::{error::Result, ids::TenantId, telemetry};

/// How long appointments' hints are gathered.
const GATHERED_FOR: Duration = Duration::from_millis(50);
/// Hints that a watcher may be behind; beyond that it looks once for all of them.
const BEHIND_AT_MOST: usize = 1024;
/// How often the listener asks itself whether anybody still waits.
const WANTED_EVERY: Duration = Duration::from_secs(30);
/// The pauses between attempts to listen double up to this.
const LISTEN_PAUSE_AT_MOST: Duration = Duration::from_secs(30);

/// What a hint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Appointment,
    SyncLog,
    Integration,
}

/// Something may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    /// Without an id: something of this tenant's.
    About(TenantId, Topic, Option<Uuid>),
    /// Some hints may have been missed.
    Anything,
}

/// The hints about one thing, or about all of a tenant's.
#[derive(Debug)]
pub struct Hints {
    receiver: broadcast::Receiver<Hint>,
    tenant: TenantId,
    topic: Topic,
    /// Absent: all of the tenant's.
    id: Option<Uuid>,
}

/// Where this process's hints go out and come in.
pub(in crate::store) struct Hub {
    pool: Pool<AsyncPgConnection>,
    told: broadcast::Sender<Hint>,
    is_listening: Mutex<bool>,
    /// Tenants whose appointments changed, not told yet.
    untold: Mutex<HashSet<TenantId>>,
}

impl Store {
    /// Hints from now on: about the record `id`, or about any of the tenant's.
    pub fn hints(&self, tenant: TenantId, topic: Topic, id: Option<Uuid>) -> Hints {
        // In this order: a listener that is about to end sees the receiver.
        let receiver = self.hub.told.subscribe();
        self.hub.listen();
        Hints { receiver, tenant, topic, id }
    }
}

impl Hints {
    /// Ends with the next hint. Dropped midway it loses none.
    pub async fn next(&mut self) {
        loop {
            match self.receiver.recv().await {
                Ok(hint) if !self.concerns(hint) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                // The store is gone.
                Err(RecvError::Closed) => pending().await,
            }
        }
    }

    fn concerns(&self, hint: Hint) -> bool {
        match hint {
            Hint::Anything => true,
            Hint::About(tenant, topic, id) => {
                tenant == self.tenant
                    && topic == self.topic
                    && self.id.zip(id).is_none_or(|(mine, its)| mine == its)
            }
        }
    }
}

impl Hub {
    pub(in crate::store) fn new(pool: Pool<AsyncPgConnection>) -> Arc<Self> {
        let (told, _) = broadcast::channel(BEHIND_AT_MOST);
        Arc::new(Self { pool, told, is_listening: Mutex::default(), untold: Mutex::default() })
    }

    /// Tells all instances, soon, that appointments of this tenant changed.
    pub(in crate::store) fn tell(self: &Arc<Self>, tenant: TenantId) {
        let mut untold = lock(&self.untold);
        if untold.is_empty() {
            tokio::spawn(self.clone().tell_gathered());
        }
        untold.insert(tenant);
    }

    async fn tell_gathered(self: Arc<Self>) {
        sleep(GATHERED_FOR).await;
        let conn = self.pool.get().await;
        let tenants: Vec<TenantId> = mem::take(&mut *lock(&self.untold)).into_iter().collect();
        // Failures are left to those who look from time to time.
        let Ok(mut conn) = conn else { return };
        let query = sql_query(
            "SELECT pg_notify('stellwerk_change', tenant || '/appointment/') FROM unnest($1) AS tenant",
        );
        let _ = Cached(query.bind::<Array<SqlUuid>, _>(tenants)).execute(&mut *conn).await;
    }

    /// Sees to it that somebody listens.
    fn listen(self: &Arc<Self>) {
        let mut is_listening = lock(&self.is_listening);
        if !*is_listening {
            *is_listening = true;
            tokio::spawn(self.clone().listen_while_wanted());
        }
    }

    async fn listen_while_wanted(self: Arc<Self>) {
        let mut pause = Duration::ZERO;
        while self.is_wanted() {
            sleep(pause).await;
            match self.listener().await {
                Ok(mut conn) => {
                    pause = Duration::ZERO;
                    let _ = self.told.send(Hint::Anything);
                    self.pass_on(&mut conn).await;
                }
                // Once per outage; watchers look from time to time meanwhile.
                Err(error) if pause.is_zero() => telemetry::log_error("changes are only polled for", &error),
                Err(_) => {}
            }
            pause = (pause * 2).clamp(Duration::from_secs(1), LISTEN_PAUSE_AT_MOST);
        }
    }

    /// Until the connection is lost or nobody waits.
    async fn pass_on(&self, conn: &mut AsyncPgConnection) {
        let mut notifications = pin!(conn.notifications_stream());
        loop {
            tokio::select! {
                notification = notifications.next() => match notification {
                    Some(Ok(notification)) => drop(self.told.send(read(&notification.payload))),
                    Some(Err(_)) | None => return,
                },
                () = sleep(WANTED_EVERY) => if self.told.receiver_count() == 0 { return },
            }
        }
    }

    /// Decided under the lock: who comes a moment later finds nobody listening and begins anew.
    fn is_wanted(&self) -> bool {
        let mut is_listening = lock(&self.is_listening);
        *is_listening = self.told.receiver_count() > 0;
        *is_listening
    }

    /// Taken out of the pool for good: what listens must not be handed to a request.
    async fn listener(&self) -> Result<AsyncPgConnection> {
        let mut conn = Object::take(self.pool.get().await?);
        conn.batch_execute("LISTEN stellwerk_change").await?;
        Ok(conn)
    }
}

/// From `{tenant}/{topic}/{id}`, where the id may be missing. What a newer version tells may be anything.
fn read(payload: &str) -> Hint {
    let mut parts = payload.splitn(3, '/');
    let tenant = parts.next().and_then(|text| text.parse().ok());
    let topic = match parts.next() {
        Some("appointment") => Some(Topic::Appointment),
        Some("sync_log") => Some(Topic::SyncLog),
        Some("integration") => Some(Topic::Integration),
        _ => None,
    };
    match tenant.zip(topic) {
        Some((tenant, topic)) => Hint::About(tenant, topic, parts.next().and_then(|text| text.parse().ok())),
        None => Hint::Anything,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(tenant: TenantId, id: Option<Uuid>) -> Hints {
        let (_, receiver) = broadcast::channel(1);
        Hints { receiver, tenant, topic: Topic::SyncLog, id }
    }

    #[test]
    fn a_hint_concerns_who_watches_that_record_of_that_tenant() {
        let (acme, globex) = (TenantId::new(), TenantId::new());
        let (mine, other) = (Uuid::now_v7(), Uuid::now_v7());
        let payload = |tenant: TenantId, rest: &str| read(&format!("{tenant}/{rest}"));

        let watching = hints(acme, Some(mine));
        let concerned = [
            payload(acme, &format!("sync_log/{mine}")),
            payload(acme, &format!("sync_log/{other}")),
            payload(globex, &format!("sync_log/{mine}")),
            payload(acme, &format!("integration/{mine}")),
        ]
        .map(|hint| watching.concerns(hint));

        assert_eq!(concerned, [true, false, false, false]);
    }

    #[test]
    fn what_cannot_be_read_concerns_everybody() {
        let watching = hints(TenantId::new(), None);

        for payload in ["", "x", "x/sync_log/y", "0190163d-8694-739b-aea5-966c26f8ad91/else/y"] {
            assert_eq!(read(payload), Hint::Anything, "{payload}");
        }
        assert!(watching.concerns(Hint::Anything));
    }

    #[test]
    fn a_hint_without_an_id_concerns_all_of_the_tenants_watchers() {
        let acme = TenantId::new();

        let hint = read(&format!("{acme}/sync_log/"));

        assert!(hints(acme, None).concerns(hint) && hints(acme, Some(Uuid::now_v7())).concerns(hint));
        assert!(!hints(TenantId::new(), None).concerns(hint));
    }
}
