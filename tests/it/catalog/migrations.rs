//! Migrations: up and down without a trace, over data without a loss, and never by the service.

use std::{collections::BTreeMap, fs, path::Path};

use stellwerk::{
    cluster::OWNER,
    error::Error,
    store::{connect::PoolConfig, migrate, migrate::SchemaError},
};

use crate::support::{
    cluster::{SERVICE, try_migrate_up},
    database::{Session, TestDatabase},
    seed::{Seed, TABLES, contents},
};

#[tokio::test]
async fn migrations_run_up_down_and_up_again_without_a_trace() {
    let database = TestDatabase::empty().await;
    let owner = database.owner().await;
    let untouched = catalog(&owner).await;

    database.up().await;
    let first = catalog(&owner).await;
    database.down().await;
    let bare = catalog(&owner).await;
    database.up().await;
    let second = catalog(&owner).await;

    // A migration run leaves the list of migrations behind, which is not described.
    assert_eq!(bare, untouched);
    assert_eq!(second, first);
    assert!(first.len() > untouched.len() + 400, "{} lines", first.len());
}

/// The months of the events begin in UTC, wherever the database, its owner or the service is at home.
#[tokio::test]
async fn migrations_and_upkeep_run_in_utc() {
    let database = TestDatabase::empty().await;
    let owner = database.owner().await;
    let name = owner.value("SELECT current_database()").await;
    owner.run(&format!("ALTER DATABASE {name} SET timezone TO 'America/New_York'")).await;

    database.up().await;
    let make = "SELECT stellwerk_make_partitions(9)";
    database.service().await.run(make).await;

    let bounds = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class \
        WHERE relispartition AND relkind = 'r' ORDER BY 1";
    let abroad = owner.lines(bounds).await;
    let here = TestDatabase::new().await;
    here.service().await.run(make).await;
    assert_eq!(abroad, here.owner().await.lines(bounds).await);
    assert_eq!(abroad.len(), 11, "{abroad:?}");
}

#[tokio::test]
async fn up_on_a_database_with_data_changes_nothing() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    Seed::plant(&owner).await;
    let before = (catalog(&owner).await, contents(&owner, "true").await);

    let run = database.up().await;

    assert_eq!(run, 0);
    assert_eq!((catalog(&owner).await, contents(&owner, "true").await), before);
}

/// What migrations were made for: the rows that an older version left are there after the newer ones, and in
/// them whatever it said.
#[tokio::test]
async fn every_older_version_with_data_is_brought_up_and_keeps_it() {
    let versions = migrate::known_versions().unwrap();

    for newest in 1..versions.len() {
        let database = TestDatabase::new().await;
        let owner = database.owner().await;
        for version in versions[newest..].iter().rev() {
            revert(&owner, version).await;
        }
        Seed::plant_what_fits(&owner).await;
        let before = rows(&owner).await;

        let run = database.up().await;

        assert_eq!(run, versions.len() - newest);
        assert!(before.values().all(|rows| !rows.is_empty()), "{before:?}");
        for (table, rows) in before {
            for row in rows {
                let said = format!("jsonb_strip_nulls('{}')", row.replace('\'', "''"));
                let kept = format!("SELECT count(*) FROM {table} t WHERE to_jsonb(t) @> {said}");
                assert_eq!(owner.value(&kept).await, "1", "from {}: {table} {row}", versions[newest - 1]);
            }
        }
    }
}

/// Undoes the newest migration, as its file says.
async fn revert(owner: &Session, version: &str) {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let folder = fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).find(|folder| {
        let name = folder.file_name().unwrap().to_string_lossy().replace('-', "");
        name.starts_with(version)
    });
    let down = fs::read_to_string(folder.expect("its folder").join("down.sql")).unwrap();
    owner.run(&down).await;
    owner.run(&format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'")).await;
}

/// Every row of every table, as JSON.
async fn rows(owner: &Session) -> BTreeMap<String, Vec<String>> {
    let mut rows = BTreeMap::new();
    for table in owner.lines(TABLES).await {
        let of_table = owner.lines(&format!("SELECT to_jsonb(t) FROM {table} t")).await;
        rows.insert(table, of_table);
    }
    rows
}

/// P2.
#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_by_name() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    owner.run("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000001')").await;

    let refused = try_migrate_up(database.owner_url()).await.unwrap_err();
    let checked = check(database.service_url()).await;

    let Error::Internal(source) = refused else { panic!("{refused:?}") };
    insta::assert_snapshot!(source, @"the database is of a newer version of stellwerk (migration 29991231000001); run that version, or restore a backup");
    assert!(matches!(checked, Err(SchemaError::Newer(version)) if version == "29991231000001"));
}

/// P2.
#[tokio::test]
async fn a_database_that_lacks_a_migration_is_refused_by_name() {
    let database = TestDatabase::new().await;
    let last = migrate::known_versions().unwrap().pop().unwrap();
    database
        .owner()
        .await
        .run(&format!("DELETE FROM __diesel_schema_migrations WHERE version = '{last}'"))
        .await;

    let checked = check(database.service_url()).await;

    assert!(matches!(checked, Err(SchemaError::Older(version)) if version == last));
}

/// P2, P3.
#[tokio::test]
async fn a_login_above_the_policies_is_refused_and_the_services_own_is_not() {
    let database = TestDatabase::new().await;

    let own = check(database.service_url()).await;
    let owner = check(database.owner_url()).await;

    assert!(own.is_ok(), "{own:?}");
    assert!(matches!(owner, Err(SchemaError::RoleTooStrong(_))), "{owner:?}");
}

/// P2, P3. What a login may become, it could be.
#[tokio::test]
async fn a_login_that_may_become_somebody_above_the_policies_is_refused() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let login = "CREATE ROLE too_close LOGIN NOINHERIT; GRANT stellwerk_app TO too_close; \
        CREATE ROLE above BYPASSRLS; CREATE ROLE possessor; ALTER TABLE tenant OWNER TO possessor";
    owner.run(login).await;
    let url = database.service_url().replace(SERVICE, "too_close");

    let harmless = check(&url).await;
    let mut refused = Vec::new();
    for strong in ["above", "possessor", OWNER] {
        owner.run(&format!("GRANT {strong} TO too_close")).await;
        refused.push(check(&url).await.unwrap_err().to_string());
        owner.run(&format!("REVOKE {strong} FROM too_close")).await;
    }
    owner.run("ALTER TABLE tenant OWNER TO stellwerk_owner; DROP ROLE too_close, above, possessor").await;

    assert!(harmless.is_ok(), "{harmless:?}");
    for (told, who) in refused.iter().zip([
        "a member of above, which is above row-level security",
        "a member of possessor, which is the owner of tables",
        "a member of stellwerk_owner, which is a superuser",
    ]) {
        assert!(told.contains(who), "{told}");
    }
}

async fn check(url: &str) -> Result<(), SchemaError> {
    migrate::check(url, &PoolConfig::default()).await.unwrap()
}

/// Everything that migrations make, one line each; not what extensions bring along.
async fn catalog(owner: &Session) -> Vec<String> {
    let classes =
        "pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE '\\_\\_diesel%'";
    let mut lines = Vec::new();
    for question in [
        format!(
            "SELECT concat_ws(' ', c.relkind, c.relname, c.relpersistence, c.relrowsecurity, \
                 c.relforcerowsecurity, c.reloptions, c.relowner::regrole, c.relacl, \
                 pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid), \
                 obj_description(c.oid, 'pg_class')) FROM {classes}"
        ),
        format!(
            "SELECT concat_ws(' ', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), \
                 a.attnotnull, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid), a.attacl, \
                 col_description(c.oid, a.attnum)) \
             FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum, \
                 {classes} AND a.attrelid = c.oid AND a.attnum > 0"
        ),
        format!(
            "SELECT concat_ws(' ', c.relname, k.conname, pg_get_constraintdef(k.oid), k.convalidated) \
             FROM pg_constraint k, {classes} AND k.conrelid = c.oid"
        ),
        format!("SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i, {classes} AND i.indrelid = c.oid"),
        format!(
            "SELECT concat_ws(' ', c.relname, p.polname, p.polcmd, p.polroles::regrole[], \
                 pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid)) \
             FROM pg_policy p, {classes} AND p.polrelid = c.oid"
        ),
        format!(
            "SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t, {classes} AND t.tgrelid = c.oid \
             AND NOT t.tgisinternal"
        ),
        "SELECT concat_ws(' ', pg_get_functiondef(p.oid), p.proacl, obj_description(p.oid, 'pg_proc')) \
         FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'stellwerk%'"
            .into(),
        "SELECT concat_ws(' ', extname, extversion) FROM pg_extension".into(),
        // How an empty list of grants is written depends on whether there ever was one.
        "SELECT concat_ws(' ', 'schema', nspname, privilege_type, grantee::regrole) FROM pg_namespace, \
             aclexplode(coalesce(nspacl, acldefault('n', nspowner))) WHERE nspname = 'public'"
            .into(),
    ] {
        let mut answer = owner.lines(&question).await;
        answer.sort();
        lines.extend(answer);
    }
    lines
}
