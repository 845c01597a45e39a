//! Migrations: embedded, run by the owner of the tables, never by the service.

use diesel::{migration::MigrationSource, pg::Pg, sql_query, sql_types::Text};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connect::{PoolConfig, owner_connection};
use crate::error::{Error, Result};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Why a database does not fit this program.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error(
        "the database is of a newer version of stellwerk (migration {0}); \
         run that version, or restore a backup"
    )]
    Newer(String),
    #[error("the database lacks the migration {0}; run `stellwerk migrate`")]
    Older(String),
    #[error(
        "the service's role is {0}; give it a login without SUPERUSER and BYPASSRLS that owns no table, \
         and that is no member of a role with any of these"
    )]
    RoleTooStrong(String),
    #[error(
        "the login may not take the role stellwerk_app; \
         run `stellwerk migrate --service-role NAME` as the owner"
    )]
    RoleMissing,
    #[error(
        "PostgreSQL speaks {0:?} to the login, and what it says about deadlocks is only understood in English; \
         as a superuser: ALTER ROLE {1} SET lc_messages = 'C'"
    )]
    Language(String, String),
}

#[derive(diesel::QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// The versions of this program's migrations, oldest first.
pub fn known_versions() -> Result<Vec<String>> {
    let migrations = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(Error::Internal)?;
    let mut versions: Vec<String> = migrations.iter().map(|m| m.name().version().to_string()).collect();
    versions.sort();
    Ok(versions)
}

/// Brings the database at `url` up to this program's version. Returns how many migrations ran. One process at
/// a time does it.
pub async fn up(url: &str, config: &PoolConfig) -> Result<usize> {
    let mut conn = migrating(url, config).await?;
    check_not_newer(&mut conn).await?;
    let mut harness = AsyncMigrationHarness::new(conn);
    let run = tokio::task::block_in_place(|| harness.run_pending_migrations(MIGRATIONS).map(|run| run.len()));
    run.map_err(Error::Internal)
}

/// Undoes every migration. For tests and for a person who asks for it. One process at a time does it.
pub async fn down(url: &str, config: &PoolConfig) -> Result<usize> {
    let conn = migrating(url, config).await?;
    let mut harness = AsyncMigrationHarness::new(conn);
    let run = tokio::task::block_in_place(|| harness.revert_all_migrations(MIGRATIONS).map(|run| run.len()));
    run.map_err(Error::Internal)
}

/// The owner's connection, for one process at a time, in UTC: a time that a migration writes without its zone
/// is the same one on every machine.
async fn migrating(url: &str, config: &PoolConfig) -> Result<AsyncPgConnection> {
    let mut conn = owner_connection(url, config).await?;
    conn.batch_execute(
        "SET timezone = 'UTC'; SET lock_timeout = '60s'; \
         SELECT pg_advisory_lock(hashtextextended('stellwerk_migrate', 0))",
    )
    .await?;
    Ok(conn)
}

/// Lets a login of the database take the service's role.
pub async fn grant_service_role(url: &str, config: &PoolConfig, login: &str) -> Result<()> {
    let mut conn = owner_connection(url, config).await?;
    let login = login.replace('"', "\"\"");
    Ok(conn.batch_execute(&format!("GRANT stellwerk_app TO \"{login}\"")).await?)
}

async fn check_not_newer(conn: &mut AsyncPgConnection) -> Result<()> {
    let known = known_versions()?;
    match applied_versions(conn).await?.into_iter().find(|version| !known.contains(version)) {
        Some(newer) => Err(Error::internal(SchemaError::Newer(newer))),
        None => Ok(()),
    }
}

async fn applied_versions(conn: &mut AsyncPgConnection) -> Result<Vec<String>> {
    let exists = "SELECT 'yes' AS line WHERE to_regclass('__diesel_schema_migrations') IS NOT NULL";
    if sql_query(exists).load::<Line>(conn).await?.is_empty() {
        return Ok(Vec::new());
    }
    let lines = sql_query("SELECT version AS line FROM __diesel_schema_migrations ORDER BY 1")
        .load::<Line>(conn)
        .await?;
    Ok(lines.into_iter().map(|line| line.line).collect())
}

/// Whether the database at `url` has this program's schema, and its login the service's role and no more;
/// asked once at start.
pub async fn check(url: &str, config: &PoolConfig) -> Result<Result<(), SchemaError>> {
    let mut conn = owner_connection(url, config).await?;
    let versions = "SELECT 'yes' AS line WHERE to_regprocedure('stellwerk_schema_versions()') IS NOT NULL";
    let known = known_versions()?;
    if sql_query(versions).load::<Line>(&mut conn).await?.is_empty() {
        return Ok(Err(SchemaError::Older(known.into_iter().next().unwrap_or_default())));
    }
    let applied: Vec<String> =
        sql_query("SELECT version AS line FROM stellwerk_schema_versions() AS version")
            .load::<Line>(&mut conn)
            .await?
            .into_iter()
            .map(|line| line.line)
            .collect();
    if let Some(newer) = applied.iter().find(|version| !known.contains(version)) {
        return Ok(Err(SchemaError::Newer(newer.clone())));
    }
    if let Some(missing) = known.into_iter().find(|version| !applied.contains(version)) {
        return Ok(Err(SchemaError::Older(missing)));
    }
    // What it may become counts as well; it is named by what it is, if that is enough.
    let too_strong = "SELECT CASE WHEN rolname = session_user THEN '' \
        ELSE 'a member of ' || rolname || ', which is ' END \
        || CASE WHEN rolsuper THEN 'a superuser' WHEN rolbypassrls \
        THEN 'above row-level security' ELSE 'the owner of tables' END AS line \
        FROM pg_roles r WHERE pg_has_role(session_user, r.oid, 'MEMBER') AND (rolsuper OR rolbypassrls \
        OR EXISTS (SELECT FROM pg_class WHERE relowner = r.oid AND relname = 'tenant')) \
        ORDER BY rolname <> session_user, rolname LIMIT 1";
    if let Some(line) = sql_query(too_strong).load::<Line>(&mut conn).await?.pop() {
        return Ok(Err(SchemaError::RoleTooStrong(line.line)));
    }
    let language = "SELECT current_setting('lc_messages') || ' ' || quote_ident(session_user) AS line";
    if let Some(Line { line }) = sql_query(language).load(&mut conn).await?.pop()
        && let Some((language, login)) = line.split_once(' ')
        && !is_english(language)
    {
        return Ok(Err(SchemaError::Language(language.into(), login.into())));
    }
    let member = "SELECT 'yes' AS line WHERE pg_has_role(session_user, 'stellwerk_app', 'MEMBER')";
    Ok(if sql_query(member).load::<Line>(&mut conn).await?.is_empty() {
        Err(SchemaError::RoleMissing)
    } else {
        Ok(())
    })
}

/// Whether a locale's messages are PostgreSQL's own texts.
fn is_english(locale: &str) -> bool {
    let language = locale.split(['_', '.', '@']).next().unwrap_or_default();
    ["C", "POSIX", "en", "English"].iter().any(|own| own.eq_ignore_ascii_case(language))
}

#[cfg(test)]
mod tests {
    use super::is_english;

    #[test]
    fn messages_in_another_language_than_english_are_told_apart_by_the_locale() {
        for own in ["C", "C.UTF-8", "POSIX", "en_US.utf8", "en", "English_United States.1252"] {
            assert!(is_english(own), "{own}");
        }
        for other in ["de_DE.UTF-8", "fr", "", "Czech_Czechia.1250", "es@euro"] {
            assert!(!is_english(other), "{other}");
        }
    }
}
