//! A tenant that is connected with an Asana of its own by a token, for what concerns single calls.

use chrono::Utc;
use stellwerk::{
    domain::Domain,
    ids::{CredentialId, IntegrationId, TenantId},
    sandbox::asana::{Asana, Gid},
    store::{
        self, TenantTx,
        credential::{Credential, Renewed},
        integration::Integration,
    },
    words::CredentialKind,
};

use super::{app::TestApp, log_book, tenant::TestTenant};

/// A tenant and a workspace with one user, whose token it has.
#[derive(Clone)]
pub(crate) struct Connected {
    pub(crate) domain: Domain,
    pub(crate) tenant: TenantId,
    pub(crate) integration: IntegrationId,
    pub(crate) asana: Asana,
    pub(crate) workspace: Gid,
    pub(crate) user: Gid,
    pub(crate) token: String,
    pub(crate) credential: CredentialId,
}

/// Connects a tenant with a new workspace of the double, by a token that needs no refreshing.
pub(crate) async fn connect_asana(app: &TestApp, tenant: &TestTenant, asana: &Asana) -> Connected {
    let workspace = asana.add_workspace("Planungsbüro am Wall");
    let user = asana.add_user(workspace, "Erika Muster", Some("erika@example.org"));
    let token = asana.add_token(user);
    log_book::secret(&token);
    let connected = Connected {
        domain: app.domain.clone(),
        tenant: TenantId(tenant.id),
        integration: IntegrationId::new(),
        asana: asana.clone(),
        workspace,
        user,
        token,
        credential: CredentialId::new(),
    };
    let now = Utc::now();
    let mut tx = connected.tx().await;
    let row = Integration {
        instance_url: Some(asana.api_url()),
        account_id: Some(user.to_string()),
        account_name: Some("Erika Muster".into()),
        ..Integration::new(connected.integration, "asana", "Planning", now)
    };
    store::integration::insert(&mut tx, &row).await.expect("an integration");
    let row = Credential {
        id: connected.credential,
        integration_id: connected.integration,
        kind: CredentialKind::ApiKey,
        sealed_secret: connected.seal(&connected.token).await,
        version: 1,
        cause: "test".into(),
        create_time: now,
        update_time: now,
        scopes: vec![],
        expire_time: None,
        refresh_due_time: None,
    };
    store::credential::insert(&mut tx, &row).await.expect("a credential");
    store::integration_flow::insert(&mut tx, connected.integration, 1000.0, 1000.0).await.expect("a flow");
    tx.commit().await.expect("committed");
    connected
}

impl Connected {
    pub(crate) async fn tx(&self) -> TenantTx {
        self.domain.store.tenant(self.tenant).await.expect("a transaction")
    }

    pub(crate) async fn integration(&self) -> Integration {
        let mut tx = self.tx().await;
        let row = store::integration::find(&mut tx, self.integration).await.expect("the integration");
        tx.end_reading();
        row
    }

    /// Another token of the same user takes the place of the one there is.
    pub(crate) async fn bring_another_token(&self) {
        let token = self.asana.add_token(self.user);
        let sealed = self.seal(&token).await;
        let mut tx = self.tx().await;
        let renewed = Renewed {
            kind: CredentialKind::ApiKey,
            sealed_secret: sealed,
            scopes: vec![],
            expire_time: None,
            refresh_due_time: None,
            cause: "test".into(),
            time: Utc::now(),
        };
        store::credential::replace(&mut tx, self.credential, &renewed).await.expect("replaced");
        tx.commit().await.expect("committed");
    }

    async fn seal(&self, token: &str) -> Vec<u8> {
        let key = self.domain.tenant_key(self.tenant).await.expect("a key");
        key.seal(store::credential::place(self.credential), token.as_bytes()).expect("sealed")
    }
}
