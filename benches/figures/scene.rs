//! The database that everything is measured on: a private cluster with fsync on, and rows by the million.

use std::{
    env, fs,
    path::PathBuf,
    process, thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, Utc};
use stellwerk::{
    cluster::{Cluster, ClusterOptions, OWNER},
    ids::TenantId,
    store::{connect::PoolConfig, migrate},
    vault::{self, Place, TenantKey, Vault},
};
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::Result;

/// Tenants with one endpoint each, numbered from 1.
pub(crate) const TENANTS: usize = 50;
/// Appointments and people of each of them.
pub(crate) const BOOKINGS: usize = 192;
/// Practitioners of each of them.
pub(crate) const PRACTITIONERS: usize = 4;
/// The tenant whose calendar grows.
pub(crate) const CALENDAR_TENANT: usize = 51;
/// Its practitioners, and its people.
pub(crate) const CALENDARS: usize = 100;
const CALENDAR_PATIENTS: usize = 1000;
/// When its calendar begins.
pub(crate) const CALENDAR_START: &str = "2026-01-01T00:00:00Z";

const DATABASE: &str = "bench";
const SERVICE: &str = "stellwerk_bench";
/// The cluster's own settings besides what the program gives its clusters: no checkpoint falls into a
/// measurement, and when a transaction was committed can be asked.
const SETTINGS: [(&str, &str); 4] = [
    ("fsync", "on"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "1h"),
    ("track_commit_timestamp", "on"),
];

/// A folder that goes with the value.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

/// The cluster's one database, filled.
pub(crate) struct Scene {
    owner: Client,
    pub(crate) service_url: String,
    pub(crate) root_keys: String,
    vault: Vault,
    events: usize,
    appointments: usize,
}

/// What tells a row's id; the numbers stand in `fill/functions.sql` as well.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Tenant = 1,
    Practitioner = 5,
    Service = 6,
    Endpoint = 7,
    Secret = 8,
    Patient = 9,
    Appointment = 11,
}

/// The id of a row of the bench.
pub(crate) fn id(kind: Kind, tenant: usize, number: usize) -> Uuid {
    Uuid::from_fields(0x019a_0000, kind as u16, 0x7000 | (tenant as u16 & 0x0fff), &number_bytes(number))
}

fn number_bytes(number: usize) -> [u8; 8] {
    (0x8000_0000_0000_0000 | number as u64).to_be_bytes()
}

/// The secret part of a tenant's webhook address; `pgbench/ingest.sql` says the same.
pub(crate) fn endpoint_token(tenant: usize) -> String {
    format!("bench-endpoint-{tenant}")
}

/// The key that signs a tenant's deliveries.
pub(crate) fn signing_key(tenant: usize) -> [u8; 32] {
    let mut key = [7; 32];
    key[..8].copy_from_slice(&(tenant as u64).to_be_bytes());
    key
}

/// The secret of a tenant's API key; `pgbench/get_appointment.sql` says the same.
pub(crate) fn api_key(tenant: usize) -> String {
    format!("swk_bench_{tenant}")
}

impl Folder {
    /// In the system's temporary folder, which must be on a disk for the figures to mean anything.
    pub(crate) fn new() -> Self {
        Self { path: env::temp_dir().join(format!("stellwerk-bench-{}", process::id())) }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A running cluster in `folder`.
pub(crate) async fn start_cluster(folder: &Folder) -> Result<Cluster> {
    let settings = SETTINGS.map(|(name, value)| (name.to_string(), value.to_string())).to_vec();
    let bin_dir = env::var_os("STELLWERK_PG_BIN").map(PathBuf::from);
    Ok(Cluster::start(ClusterOptions { data_dir: folder.path.clone(), settings, bin_dir }).await?)
}

impl Scene {
    /// A migrated database with all tenants, their people and bookings.
    pub(crate) async fn set(cluster: &Cluster) -> Result<Self> {
        let admin = connect(&cluster.url(OWNER, "postgres")).await?;
        admin.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
        admin.batch_execute(&format!("CREATE ROLE {SERVICE} LOGIN")).await?;
        let owner_url = cluster.url(OWNER, DATABASE);
        migrate(&owner_url)?;
        let root_keys = Vault::generate_root_key("bench")?;
        let scene = Self {
            owner: connect(&owner_url).await?,
            service_url: cluster.url(SERVICE, DATABASE),
            vault: Vault::from_root_keys(&root_keys)?,
            root_keys,
            events: 0,
            appointments: 0,
        };
        scene.fill(include_str!("../fill/functions.sql"), &[]).await?;
        for tenant in 1..=TENANTS {
            scene.add_tenant(tenant, PRACTITIONERS, BOOKINGS).await?;
            let numbers = [("tenant", tenant), ("practitioners", PRACTITIONERS), ("bookings", BOOKINGS)];
            scene.fill(include_str!("../fill/bookings.sql"), &numbers).await?;
        }
        scene.add_tenant(CALENDAR_TENANT, CALENDARS, CALENDAR_PATIENTS).await?;
        Ok(scene)
    }

    /// Stores events until there are so many.
    pub(crate) async fn store_events(&mut self, until: usize) -> Result<()> {
        let numbers = [
            ("from", self.events),
            ("until", until - 1),
            ("tenants", TENANTS),
            ("bookings", BOOKINGS),
            ("practitioners", PRACTITIONERS),
        ];
        self.fill(include_str!("../fill/events.sql"), &numbers).await?;
        self.events = until;
        self.settle("webhook_event, webhook_body_key, webhook_dedupe, appointment_change").await
    }

    /// Puts appointments into the growing calendar until there are so many.
    pub(crate) async fn book(&mut self, until: usize) -> Result<()> {
        let numbers = [
            ("from", self.appointments),
            ("until", until - 1),
            ("tenant", CALENDAR_TENANT),
            ("practitioners", CALENDARS),
            ("patients", CALENDAR_PATIENTS),
        ];
        let sql = include_str!("../fill/calendar.sql").replace("{calendar_start}", CALENDAR_START);
        self.fill(&sql, &numbers).await?;
        self.appointments = until;
        self.settle("appointment").await
    }

    /// Empties the queue and fills it with so many messages that are due.
    pub(crate) async fn promise(&self, messages: usize) -> Result<()> {
        self.owner.batch_execute("TRUNCATE outbox").await?;
        let numbers = [("messages", messages), ("tenants", TENANTS)];
        self.fill(include_str!("../fill/outbox.sql"), &numbers).await?;
        self.settle("outbox").await
    }

    /// Hours that the growing calendar spans.
    pub(crate) fn calendar_hours(&self) -> usize {
        self.appointments / CALENDARS
    }

    /// Writes what is dirty to disk, so that no measurement pays for what came before it.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        Ok(self.owner.batch_execute("CHECKPOINT").await?)
    }

    /// One number.
    pub(crate) async fn count(&self, sql: &str) -> Result<i64> {
        Ok(self.owner.query_one(sql, &[]).await?.try_get(0)?)
    }

    /// When the row of an append-only table that this names was committed.
    pub(crate) async fn commit_time(&self, row: &str) -> Result<DateTime<Utc>> {
        let sql = format!(
            "SELECT (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint FROM {row}"
        );
        let micros = self.count(&sql).await?;
        DateTime::from_timestamp_micros(micros).ok_or_else(|| format!("{micros} is no time").into())
    }

    /// One text.
    pub(crate) async fn text(&self, sql: &str) -> Result<String> {
        Ok(self.owner.query_one(sql, &[]).await?.try_get(0)?)
    }

    /// Waits until none of a tenant's messages waits.
    pub(crate) async fn until_idle(&self, tenant: TenantId, patience: Duration) -> Result<()> {
        let waiting =
            format!("SELECT count(*) FROM outbox WHERE tenant_id = '{tenant}' AND state = 'pending'");
        let until = Instant::now() + patience;
        while self.count(&waiting).await? > 0 {
            if Instant::now() > until {
                return Err("messages still wait".into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// PostgreSQL's version and how big the database is.
    pub(crate) async fn describe(&self) -> Result<(String, String)> {
        let row = self
            .owner
            .query_one(
                "SELECT current_setting('server_version'), \
                 pg_size_pretty(pg_database_size(current_database()))",
                &[],
            )
            .await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    async fn add_tenant(&self, tenant: usize, practitioners: usize, patients: usize) -> Result<()> {
        let tenant_id = TenantId(id(Kind::Tenant, tenant, 0));
        let wrapped = self.vault.new_tenant_key(tenant_id)?;
        let key = self.vault.tenant_key(tenant_id, &wrapped)?;
        let secret = format!("whsec_{}", BASE64.encode(signing_key(tenant)));
        let token = endpoint_token(tenant);
        let sql = include_str!("../fill/tenant.sql")
            .replace("{tenant_key_id}", &wrapped.id.to_string())
            .replace("{root_key_id}", &wrapped.root_key_id)
            .replace("{wrapped_tenant_key}", &hex::encode(&wrapped.wrapped_key))
            .replace("{api_key_hash}", &hex::encode(vault::hash(api_key(tenant).as_bytes())))
            .replace("{token_hash}", &hex::encode(vault::hash(token.as_bytes())))
            .replace(
                "{sealed_token}",
                &sealed(&key, "webhook_endpoint", "sealed_token", Kind::Endpoint, tenant, &token)?,
            )
            .replace(
                "{sealed_secret}",
                &sealed(&key, "webhook_secret", "sealed_secret", Kind::Secret, tenant, &secret)?,
            );
        self.fill(&sql, &[("tenant", tenant), ("practitioners", practitioners), ("patients", patients)]).await
    }

    /// Runs a file of `fill/` in one transaction, without foreign keys' checks: the rows fit,
    /// and there are millions.
    async fn fill(&self, sql: &str, numbers: &[(&str, usize)]) -> Result<()> {
        let sql = numbers.iter().fold(sql.to_string(), |sql, (name, number)| {
            sql.replace(&format!("{{{name}}}"), &number.to_string())
        });
        let sql = format!("BEGIN; SET LOCAL session_replication_role = replica; {sql}; COMMIT");
        Ok(self.owner.batch_execute(&sql).await?)
    }

    async fn settle(&self, tables: &str) -> Result<()> {
        self.owner.batch_execute(&format!("VACUUM (ANALYZE) {tables}")).await?;
        self.checkpoint().await
    }
}

fn sealed(
    key: &TenantKey,
    table: &'static str,
    column: &'static str,
    kind: Kind,
    tenant: usize,
    text: &str,
) -> Result<String> {
    let place = Place { table, column, row: id(kind, tenant, 0) };
    Ok(hex::encode(key.seal(place, text.as_bytes())?))
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Migrations block, and want a runtime with several threads for that.
fn migrate(owner_url: &str) -> Result<()> {
    let run = || -> Result<()> {
        let runtime = tokio::runtime::Runtime::new()?;
        let pool = PoolConfig::default();
        runtime.block_on(migrate::up(owner_url, &pool))?;
        Ok(runtime.block_on(migrate::grant_service_role(owner_url, &pool, SERVICE))?)
    };
    let ran = thread::scope(|scope| scope.spawn(run).join());
    ran.map_err(|_| "the migrations panicked")?
}
