//! Which root key seals. The database says so, once for all instances, and switches only to a key that every
//! living one holds: a rolling restart never meets a key that it does not know. Rotation wraps every tenant's
//! data key anew while requests run.

use std::time::Duration;

use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Domain;
use crate::{
    error::{Error, Result},
    ids::TenantId,
    store::{
        self,
        root_key::{Instance, RootKeyUse},
    },
    telemetry,
    vault::VaultError,
};

/// How often an instance reports, and so how long it may seal with the key before. Twelve reports missed, and
/// it counts as gone.
pub const EVERY: Duration = Duration::from_secs(5);
/// Between two looks at the instances.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Tenants of one look.
const TENANTS: i32 = 500;

/// How far a rotation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Instances that live do not hold the key yet.
    Waiting { without: usize, instances: usize },
    /// It seals from here on.
    Switched,
    /// So many tenants' keys are wrapped anew, so many are left.
    Wrapped { done: u64, left: i64 },
    /// Instances have not heard of the switch yet.
    Settling { behind: usize },
}

/// Why a rotation did not come to its end. What it did stays done: repeat it.
#[derive(Debug, thiserror::Error)]
pub enum Stuck {
    #[error(
        "{without} of {instances} running instances do not hold the root key {id}; give it to all of them in \
         STELLWERK_ROOT_KEYS, restart them, and repeat"
    )]
    NotHeld { id: String, without: usize, instances: usize },
    #[error("{0} running instances have not switched yet; repeat when they have")]
    NotSettled(usize),
    #[error("{0}")]
    Key(#[from] VaultError),
    #[error("{0}")]
    Own(#[from] Error),
}

/// Seals with what the database says. Errors: `Internal` with `VaultError::UnknownRootKey` when it is not at
/// hand.
pub async fn follow(domain: &Domain) -> Result<()> {
    match store::root_key::active(&domain.store).await? {
        Some(active) => domain.vault.activate(&active).map_err(Error::internal),
        None => Ok(()),
    }
}

/// Counts this process among those that serve. Errors: `Internal` with `VaultError::UnknownRootKey` when a
/// key that seals, or that wraps a tenant's, is not at hand: better not to serve than to serve some.
pub async fn join(domain: &Domain) -> Result<Uuid> {
    let instance = Uuid::now_v7();
    let joined = async {
        report(domain, instance).await?;
        let at_hand: Vec<&str> = domain.vault.root_key_ids().collect();
        let used = store::root_key::used(&domain.store).await?;
        match used.into_iter().find(|key| !at_hand.contains(&key.root_key_id.as_str())) {
            Some(missing) => Err(Error::internal(VaultError::UnknownRootKey(missing.root_key_id))),
            None => Ok(()),
        }
    };
    match joined.await {
        Ok(()) => Ok(instance),
        Err(error) => {
            // Or a switch would wait for it for a minute.
            store::root_key::leave(&domain.store, instance).await?;
            Err(error)
        }
    }
}

/// Reports until `stop`, and seals with what the database says meanwhile.
pub async fn keep_reporting(domain: &Domain, instance: Uuid, stop: &CancellationToken) {
    let mut due = time::interval(EVERY);
    due.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = due.tick() => {}
            () = stop.cancelled() => break,
        }
        if let Err(error) = report(domain, instance).await {
            telemetry::log_error("the root keys of this instance could not be reported", &error);
        }
    }
    if let Err(error) = store::root_key::leave(&domain.store, instance).await {
        telemetry::log_error("this instance counts as running for another minute", &error);
    }
}

/// Says what is held, and takes what is to seal; a change is reported at once, for somebody waits for it.
async fn report(domain: &Domain, id: Uuid) -> Result<()> {
    let vault = &domain.vault;
    loop {
        let sealing = vault.active_root_key_id().map_err(Error::internal)?.to_owned();
        let root_key_ids = vault.root_key_ids().map(str::to_owned).collect();
        let instance = Instance { id, root_key_ids, sealing_root_key_id: sealing };
        match store::root_key::report(&domain.store, &instance).await? {
            Some(active) if active != instance.sealing_root_key_id => {
                vault.activate(&active).map_err(Error::internal)?;
                tracing::info!(root_key.id = active, "another root key seals");
            }
            Some(_) | None => return Ok(()),
        }
    }
}

/// Lets the root key `to` seal and wraps every tenant's data key anew by it. Waits for instances at most
/// `patience`. May be repeated at any time, and done by several at once. Returns how many keys were wrapped.
pub async fn rotate(
    domain: &Domain,
    to: &str,
    patience: Duration,
    mut tell: impl FnMut(Progress),
) -> Result<u64, Stuck> {
    let at_hand: Vec<&str> = domain.vault.root_key_ids().collect();
    let is_at_hand = |key: &RootKeyUse| at_hand.contains(&key.root_key_id.as_str());
    if let Some(missing) =
        store::root_key::used(&domain.store).await?.into_iter().find(|key| !is_at_hand(key))
    {
        return Err(VaultError::UnknownRootKey(missing.root_key_id).into());
    }
    domain.vault.activate(to)?;
    let until = Instant::now() + patience;
    while !store::root_key::activate(&domain.store, to).await? {
        let instances = store::root_key::instances(&domain.store).await?;
        let without = instances.iter().filter(|one| !one.root_key_ids.iter().any(|id| id == to)).count();
        let instances = instances.len();
        if Instant::now() >= until {
            return Err(Stuck::NotHeld { id: to.into(), without, instances });
        }
        tell(Progress::Waiting { without, instances });
        time::sleep(LOOK_AGAIN).await;
    }
    tell(Progress::Switched);
    let mut done = rewrap_all(domain, to, 0, &mut tell).await?;
    loop {
        let instances = store::root_key::instances(&domain.store).await?;
        let behind = instances.iter().filter(|one| one.sealing_root_key_id != to).count();
        if behind == 0 {
            break;
        }
        if Instant::now() >= until {
            return Err(Stuck::NotSettled(behind));
        }
        tell(Progress::Settling { behind });
        time::sleep(LOOK_AGAIN).await;
    }
    // What an instance made before it had heard of the switch.
    done = rewrap_all(domain, to, done, &mut tell).await?;
    Ok(done)
}

async fn rewrap_all(
    domain: &Domain,
    to: &str,
    mut done: u64,
    tell: &mut impl FnMut(Progress),
) -> Result<u64, Stuck> {
    let mut after = None;
    loop {
        let tenants = store::root_key::tenants_not_under(&domain.store, Some(to), after, TENANTS).await?;
        let Some(last) = tenants.last().copied() else { return Ok(done) };
        for tenant in tenants {
            done += u64::from(rewrap(domain, to, tenant).await?);
        }
        after = Some(last);
        let used = store::root_key::used(&domain.store).await?;
        let left = used.iter().filter(|key| key.root_key_id != to).map(|key| key.tenants).sum();
        tell(Progress::Wrapped { done, left });
    }
}

/// False: somebody else did.
async fn rewrap(domain: &Domain, to: &str, tenant: TenantId) -> Result<bool, Stuck> {
    let mut tx = domain.store.tenant(tenant).await?;
    let Some(wrapped) = store::tenant::find_key_for_update(&mut tx).await? else { return Ok(false) };
    if wrapped.root_key_id == to {
        return Ok(false);
    }
    let fresh = domain.vault.rewrap(tenant, &wrapped)?;
    store::tenant::rewrap_key(&mut tx, &fresh).await?;
    tx.commit().await?;
    Ok(true)
}

/// Opens every tenant's data key. Returns how many there are, and the tenants whose key does not open.
pub async fn prove(domain: &Domain) -> Result<(u64, Vec<TenantId>)> {
    let (mut count, mut closed, mut after) = (0, Vec::new(), None);
    loop {
        let tenants = store::root_key::tenants_not_under(&domain.store, None, after, TENANTS).await?;
        let Some(last) = tenants.last().copied() else { return Ok((count, closed)) };
        for tenant in tenants {
            let mut tx = domain.store.tenant(tenant).await?;
            let Some(wrapped) = store::tenant::find_key(&mut tx).await? else { continue };
            tx.end_reading();
            count += 1;
            if domain.vault.check(tenant, &wrapped).is_err() {
                closed.push(tenant);
            }
        }
        after = Some(last);
    }
}
