//! Promises that a migration could break without any code noticing, asked of the database itself.

mod migrations;

use crate::support::{
    database::{Session, TestDatabase},
    seed::TABLES,
};

/// Roles that work for callers.
const SERVING: [&str; 3] = ["stellwerk_app", "stellwerk_worker", "stellwerk_service"];

/// Unique keys that do not begin with the tenant, because they find it.
const UNIQUE_ACROSS_TENANTS: [&str; 6] = [
    // An API key names its tenant by nothing but its secret.
    "api_key_secret_is_unique",
    // So does an endpoint's address.
    "webhook_endpoint_token_is_unique",
    // What is booked at a provider belongs to one tenant, or two would write to it.
    "event_type_belongs_to_one_integration",
    // A returning browser names its tenant by nothing but the state.
    "oauth_authorization_state_is_unique",
    // An account is one tenant's,
    "integration_account_belongs_to_one_tenant",
    // and where it routes deliveries, it must not route them to two.
    "integration_of_an_account_is_one",
];

/// SECURITY DEFINER functions that everybody may run.
const OPEN_FUNCTIONS: [&str; 1] = [
    // A service that may not read the migrations' table must see that its database is too new or too old.
    "stellwerk_schema_versions",
];

/// P3.
#[tokio::test]
async fn every_table_belongs_to_tenants_and_forces_its_policies() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;

    let tables = owner.lines(TABLES).await;
    let lawless = owner
        .lines(&format!(
            "SELECT relname FROM pg_class c WHERE relname IN ({TABLES}) \
             AND NOT (relrowsecurity AND relforcerowsecurity \
             AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) \
             AND EXISTS (SELECT FROM pg_attribute a \
             WHERE a.attrelid = c.oid AND attname = 'tenant_id' AND attnotnull))"
        ))
        .await;

    assert!(tables.len() >= 27, "{tables:?}");
    assert_eq!(lawless, [""; 0]);
}

/// P3.
#[tokio::test]
async fn no_policy_holds_for_everybody() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;

    let wide = owner
        .lines(
            "SELECT polname FROM pg_policy WHERE polroles <> ARRAY['stellwerk_app'::regrole::oid] \
             OR NOT polpermissive OR pg_get_expr(coalesce(polqual, polwithcheck), polrelid) \
             NOT LIKE '%current_setting(''stellwerk.tenant_id''::text)%' \
             OR polwithcheck IS NOT NULL AND polqual IS NOT NULL",
        )
        .await;

    assert_eq!(wide, [""; 0]);
}

/// P3.
#[tokio::test]
async fn the_roles_that_serve_own_nothing_and_bypass_nothing() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let serving = SERVING.map(|role| format!("'{role}'::regrole")).join(", ");

    let strong = owner
        .lines(&format!(
            "SELECT rolname FROM pg_roles WHERE oid IN ({serving}) \
             AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)"
        ))
        .await;
    let owned = owner
        .lines(&format!(
            "SELECT pg_describe_object(classid, objid, objsubid) FROM pg_shdepend \
             WHERE deptype = 'o' AND refobjid IN ({serving})"
        ))
        .await;
    let memberships = owner
        .lines(&format!(
            "SELECT member::regrole || ' in ' || roleid::regrole FROM pg_auth_members \
             WHERE member IN ({serving}) ORDER BY 1"
        ))
        .await;

    assert_eq!((strong, owned), (vec![], vec![]));
    assert_eq!(memberships, ["stellwerk_app in stellwerk_worker", "stellwerk_service in stellwerk_app"]);
}

/// P3.
#[tokio::test]
async fn every_foreign_key_carries_the_tenant() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;

    let keys = owner.lines(&foreign_keys("true")).await;
    let without_tenant = owner
        .lines(&foreign_keys(
            "NOT EXISTS (SELECT FROM pg_attribute a, pg_attribute b \
             WHERE a.attrelid = conrelid AND a.attnum = conkey[1] AND a.attname = 'tenant_id' \
             AND b.attrelid = confrelid AND b.attnum = confkey[1] AND b.attname = 'tenant_id')",
        ))
        .await;

    assert!(keys.len() >= 30, "{keys:?}");
    assert_eq!(without_tenant, [""; 0]);
}

#[tokio::test]
async fn every_foreign_key_has_an_index() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;

    let slow = owner
        .lines(&foreign_keys(
            "NOT EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid \
             JOIN pg_am m ON m.oid = x.relam \
             WHERE i.indrelid = conrelid AND i.indisvalid AND m.amname = 'btree' \
             AND (i.indpred IS NULL OR pg_get_expr(i.indpred, conrelid) ~ '^\\(\\w+ IS NOT NULL\\)$') \
             AND (i.indkey::int2[])[0:cardinality(conkey) - 1] @> conkey)",
        ))
        .await;

    assert_eq!(slow, [""; 0]);
}

/// P3.
#[tokio::test]
async fn every_unique_key_begins_with_the_tenant() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;

    let without_tenant = owner
        .lines(
            "SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
             WHERE c.relnamespace = 'public'::regnamespace AND (i.indisunique OR i.indisexclusion) \
             AND c.relname <> '__diesel_schema_migrations' \
             AND NOT EXISTS (SELECT FROM pg_attribute a \
             WHERE a.attrelid = c.oid AND a.attnum = i.indkey[0] AND a.attname = 'tenant_id') \
             ORDER BY 1",
        )
        .await;
    let without_primary = owner
        .lines(&format!(
            "SELECT relname FROM pg_class c WHERE relname IN ({TABLES}) \
             AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"
        ))
        .await;

    assert_eq!(without_tenant, UNIQUE_ACROSS_TENANTS);
    assert_eq!(without_primary, [""; 0]);
}

/// P3.
#[tokio::test]
async fn partitions_are_granted_to_nobody() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;

    let partitions = owner.lines("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'").await;
    let granted = owner
        .lines(
            "SELECT c.relname || ' to ' || a.grantee::regrole FROM pg_class c, aclexplode(c.relacl) a \
             WHERE c.relispartition AND a.grantee <> c.relowner",
        )
        .await;

    assert!(partitions.contains(&"webhook_event_default".to_string()), "{partitions:?}");
    assert_eq!(granted, [""; 0]);
}

/// P3.
#[tokio::test]
async fn tables_are_granted_to_the_app_role_alone() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;

    let granted = owner
        .lines(
            "SELECT DISTINCT c.relname || ' to ' || a.grantee::regrole \
             FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'public'::regnamespace \
             AND a.grantee NOT IN (c.relowner, 'stellwerk_app'::regrole) \
             UNION ALL SELECT attrelid::regclass || '.' || attname \
             FROM pg_attribute JOIN pg_class c ON c.oid = attrelid \
             WHERE attacl IS NOT NULL AND c.relnamespace = 'public'::regnamespace",
        )
        .await;

    assert_eq!(granted, [""; 0]);
}

#[tokio::test]
async fn every_constraint_and_index_is_named_after_its_table() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;

    // PostgreSQL's own inventions end like this.
    let misnamed = owner
        .lines(&format!(
            "SELECT name FROM (SELECT conrelid, conname FROM pg_constraint UNION ALL \
             SELECT indrelid, relname FROM pg_index JOIN pg_class x ON x.oid = indexrelid) \
             AS n (relation, name) JOIN pg_class c ON c.oid = relation WHERE c.relname IN ({TABLES}) \
             AND (NOT starts_with(name, c.relname || '_') OR name ~ '_(fkey|key|check|excl|idx)\\d*$')"
        ))
        .await;

    assert_eq!(misnamed, [""; 0]);
}

/// P3.
#[tokio::test]
async fn definer_functions_have_a_fixed_search_path_and_are_closed() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;

    let definers =
        owner.lines("SELECT proname FROM pg_proc WHERE prosecdef AND proname LIKE 'stellwerk%'").await;
    let loose = owner
        .lines(
            "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace \
             AND 'search_path=public, pg_temp' <> ALL (coalesce(proconfig, '{}'))",
        )
        .await;
    let open = owner
        .lines(
            "SELECT proname FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a \
             WHERE prosecdef AND pronamespace = 'public'::regnamespace AND a.grantee = 0 ORDER BY 1",
        )
        .await;

    assert!(definers.len() >= 11, "{definers:?}");
    assert_eq!(loose, [""; 0]);
    assert_eq!(open, OPEN_FUNCTIONS);
}

#[tokio::test]
async fn the_schema_in_the_source_is_the_schema_of_the_database() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;

    let mut described = String::from(
        "//! The tables as diesel sees them; `tests/it/catalog.rs` compares this with the database.\n\n",
    );
    let tables = owner.lines(TABLES).await;
    for table in &tables {
        described += &describe(&owner, table).await;
    }
    described += "diesel::allow_tables_to_appear_in_same_query!(\n";
    described += &tables.iter().map(|table| format!("    {table},\n")).collect::<String>();
    described += ");\n";

    let source = include_str!("../../src/store/schema.rs");
    // Only what differs, or nobody finds it.
    let unknown_to = |text: &str, other: &str| -> Vec<String> {
        text.split("\n\n").filter(|part| !other.contains(part)).map(String::from).collect()
    };
    assert_eq!(unknown_to(&described, source), [""; 0], "the database has this, src/store/schema.rs has not");
    assert_eq!(unknown_to(source, &described), [""; 0], "src/store/schema.rs has this, the database has not");
    assert!(described == source, "the same tables in another order");
}

/// Foreign keys of our tables for which the condition holds, by name.
fn foreign_keys(condition: &str) -> String {
    format!(
        "SELECT conname FROM pg_constraint JOIN pg_class c ON c.oid = conrelid \
         WHERE contype = 'f' AND conparentid = 0 \
         AND c.relnamespace = 'public'::regnamespace AND {condition} ORDER BY 1"
    )
}

/// A table as `src/store/schema.rs` spells it.
async fn describe(owner: &Session, table: &str) -> String {
    let key = owner
        .value(&format!(
            "SELECT string_agg(attname, ', ' ORDER BY ordinality) \
             FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k JOIN pg_attribute a ON attnum = k \
             WHERE i.indisprimary AND i.indrelid = '{table}'::regclass AND a.attrelid = i.indrelid"
        ))
        .await;
    let columns = owner
        .lines(&format!(
            "SELECT concat_ws(' ', column_name, udt_name, is_nullable) FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY ordinal_position"
        ))
        .await;
    let columns: String =
        columns.iter().map(|column| format!("        {},\n", describe_column(column))).collect();
    format!("diesel::table! {{\n    {table} ({key}) {{\n{columns}    }}\n}}\n\n")
}

/// From `name udt_name is_nullable`.
fn describe_column(column: &str) -> String {
    let words: Vec<&str> = column.split(' ').collect();
    let [name, kind, nullable] = words[..] else { panic!("{column}") };
    let kind = match kind.strip_prefix('_') {
        Some(element) => format!("Array<{}>", diesel_type(element)),
        None => diesel_type(kind).into(),
    };
    if nullable == "YES" { format!("{name} -> Nullable<{kind}>") } else { format!("{name} -> {kind}") }
}

fn diesel_type(udt: &str) -> &'static str {
    match udt {
        "bool" => "Bool",
        "bytea" => "Bytea",
        "date" => "Date",
        "int2" => "SmallInt",
        "int4" => "Integer",
        "int8" => "BigInt",
        "float8" => "Double",
        "jsonb" => "Jsonb",
        "numeric" => "Numeric",
        "text" => "Text",
        "timestamptz" => "Timestamptz",
        "uuid" => "Uuid",
        other => panic!("no diesel type is known for {other}"),
    }
}
