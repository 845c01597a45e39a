//! Holds P10 and P11: what is sealed opens in its own place alone, and never without its key.

use super::*;

fn vault() -> Vault {
    Vault::from_root_keys(&Vault::generate_root_key("r1").unwrap()).unwrap()
}

fn place(row: Uuid) -> Place {
    Place { table: "webhook_secret", column: "sealed_secret", row }
}

fn key_of(vault: &Vault, tenant: TenantId) -> Arc<TenantKey> {
    vault.tenant_key(tenant, &vault.new_tenant_key(tenant).unwrap()).unwrap()
}

#[test]
fn a_sealed_value_opens_only_in_its_row_column_table_and_tenant() {
    let vault = vault();
    let (acme, other) = (key_of(&vault, TenantId::new()), key_of(&vault, TenantId::new()));
    let row = Uuid::now_v7();

    let sealed = acme.seal(place(row), b"secret").unwrap();

    assert_eq!(acme.open(place(row), &sealed).unwrap(), b"secret");
    assert_eq!(acme.open(place(Uuid::now_v7()), &sealed), Err(VaultError::DoesNotOpen));
    assert_eq!(acme.open(Place { column: "other", ..place(row) }, &sealed), Err(VaultError::DoesNotOpen));
    assert_eq!(acme.open(Place { table: "other", ..place(row) }, &sealed), Err(VaultError::DoesNotOpen));
    assert_eq!(other.open(place(row), &sealed), Err(VaultError::DoesNotOpen));
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let vault = vault();
    let key = key_of(&vault, TenantId::new());
    let sealed = key.seal(place(Uuid::nil()), b"secret").unwrap();

    for i in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[i] ^= 1;
        assert!(key.open(place(Uuid::nil()), &changed).is_err(), "byte {i}");
    }
    assert_eq!(key.open(place(Uuid::nil()), &[]), Err(VaultError::Malformed));
}

#[test]
fn a_body_is_gone_when_its_own_key_is() {
    let vault = vault();
    let key = key_of(&vault, TenantId::new());
    let (sealed, own) = key.seal_with_own_key(place(Uuid::nil()), b"body").unwrap();
    let (_, another) = key.seal_with_own_key(place(Uuid::nil()), b"body").unwrap();

    assert_eq!(key.open_with_own_key(place(Uuid::nil()), &sealed, &own).unwrap(), b"body");
    assert_eq!(key.open_with_own_key(place(Uuid::nil()), &sealed, &another), Err(VaultError::DoesNotOpen));
}

#[test]
fn an_older_root_key_still_opens_what_it_wrapped_and_a_missing_one_is_named() {
    let (old, new) = (Vault::generate_root_key("old").unwrap(), Vault::generate_root_key("new").unwrap());
    let tenant = TenantId::new();
    let wrapped = Vault::from_root_keys(&old).unwrap().new_tenant_key(tenant).unwrap();

    assert!(Vault::from_root_keys(&format!("{new},{old}")).unwrap().tenant_key(tenant, &wrapped).is_ok());
    assert_eq!(
        Vault::from_root_keys(&new).unwrap().tenant_key(tenant, &wrapped).err(),
        Some(VaultError::UnknownRootKey("old".into()))
    );
}

#[test]
fn a_token_opens_only_in_its_context() {
    let vault = vault();
    let token = vault.seal_token(&[b"acme", b"ListPatients"], b"cursor").unwrap();

    assert_eq!(vault.open_token(&[b"acme", b"ListPatients"], &token).unwrap(), b"cursor");
    assert_eq!(vault.open_token(&[b"acmeL", b"istPatients"], &token), Err(VaultError::DoesNotOpen));
}

#[test]
fn a_malformed_root_key_is_refused_without_being_repeated() {
    for text in
        ["", "r1", "r1:00", "R1:00", &format!("r 1:{}", "0".repeat(64)), &format!("r1:{}", "z".repeat(64))]
    {
        assert!(Vault::from_root_keys(text).is_err(), "{text}");
    }
    let twice = format!("r1:{0},r1:{0}", "0".repeat(64));
    assert_eq!(Vault::from_root_keys(&twice).err(), Some(VaultError::DuplicateRootKey("r1".into())));
    assert!(!format!("{:?}", vault()).contains("bytes"));
}

#[test]
fn fingerprints_of_different_purposes_and_tenants_differ() {
    let vault = vault();
    let (acme, other) = (key_of(&vault, TenantId::new()), key_of(&vault, TenantId::new()));

    assert_eq!(acme.fingerprint("dedupe", &[b"a", b"b"]), acme.fingerprint("dedupe", &[b"a", b"b"]));
    assert_ne!(acme.fingerprint("dedupe", &[b"a", b"b"]), acme.fingerprint("dedupe", &[b"ab", b""]));
    assert_ne!(acme.fingerprint("dedupe", &[b"a"]), acme.fingerprint("tombstone", &[b"a"]));
    assert_ne!(acme.fingerprint("dedupe", &[b"a"]), other.fingerprint("dedupe", &[b"a"]));
}

#[test]
fn a_rewrapped_key_is_the_same_key_under_another_root_key() {
    let (old, new) = (Vault::generate_root_key("old").unwrap(), Vault::generate_root_key("new").unwrap());
    let both = Vault::from_root_keys(&format!("{old},{new}")).unwrap();
    let (tenant, row) = (TenantId::new(), Uuid::now_v7());
    let wrapped = both.new_tenant_key(tenant).unwrap();
    let sealed = both.tenant_key(tenant, &wrapped).unwrap().seal(place(row), b"secret").unwrap();
    let token = both.seal_token(&[b"acme"], b"cursor").unwrap();

    both.activate("new").unwrap();
    let fresh = both.rewrap(tenant, &wrapped).unwrap();

    assert_eq!((fresh.id, fresh.root_key_id.as_str()), (wrapped.id, "new"));
    assert_eq!(both.new_tenant_key(TenantId::new()).unwrap().root_key_id, "new");
    assert_eq!(both.open_token(&[b"acme"], &token).unwrap(), b"cursor");
    let alone = Vault::from_root_keys(&new).unwrap();
    assert_eq!(alone.tenant_key(tenant, &fresh).unwrap().open(place(row), &sealed).unwrap(), b"secret");
    assert_eq!(alone.check(TenantId::new(), &fresh), Err(VaultError::DoesNotOpen));
    assert_eq!(alone.rewrap(tenant, &wrapped).err(), Some(VaultError::UnknownRootKey("old".into())));
}

#[test]
fn a_root_key_that_is_not_at_hand_does_not_become_the_one_that_seals() {
    let vault = vault();

    assert_eq!(vault.activate("r2"), Err(VaultError::UnknownRootKey("r2".into())));
    assert_eq!(vault.active_root_key_id().unwrap(), "r1");
}
