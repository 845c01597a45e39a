//! Dropbox. A delivery says only which accounts have changes.

use super::row::*;

pub(super) static DROPBOX: Provider = Provider {
    id: "dropbox",
    name: "Dropbox",
    category: Category::Storage,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://www.dropbox.com/oauth2/authorize",
        token_url: "https://api.dropboxapi.com/oauth2/token",
        revoke: Some(Revoke {
            url: "https://api.dropboxapi.com/2/auth/token/revoke",
            method: RevokeMethod::Post,
            auth: RevokeAuth::Bearer,
            token: RevokedToken::Access,
            param: None,
            format: BodyFormat::Form,
        }),
        pkce: Pkce::S256,
        token_auth: TokenAuth::Body,
        token_format: BodyFormat::Form,
        token_headers: &[],
        token_params: &[],
        failure: Failure::Status,
        scope_separator: ' ',
        granted_separator: ' ',
        default_scopes: &[
            "account_info.read",
            "files.metadata.read",
            "files.content.read",
            "files.content.write",
        ],
        // Without it there is no refresh token.
        authorize_params: &[("token_access_type", "offline")],
        placeholders: &[],
        refresh: Refresh {
            rotation: Rotation::Never,
            access_lifetime_s: Some(14_400),
            idle_lifetime_s: None,
            sends_redirect_uri: false,
            needs_scope: None,
        },
        account: Account::Token { id: &["/account_id"], name: &["/account_id"], otherwise: None },
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://api.dropboxapi.com/2",
        paging: Paging::CursorCall {
            items: "/entries",
            next: "/cursor",
            has_more: "/has_more",
            path: "/files/list_folder/continue",
        },
        // None is published.
        limits: &[],
        throttle: Throttle {
            statuses: &[429],
            wait: Wait::RetryAfter { otherwise_s: 1 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::ByHand,
        address: Address::PerClient,
        verifications: &[Verification {
            scheme: SignatureScheme::Dropbox,
            proof: Proof::Secret(Scheme::Hmac(Hmac::of_body("x-dropbox-signature", Prefix::Nothing))),
            secret: Secret::Theirs,
            client_secret: Some(ClientSecret::OAuth),
        }],
        handshake: Handshake::EchoQuery {
            method: EchoMethod::Get,
            param: "challenge",
            headers: &[("x-content-type-options", "nosniff")],
        },
        event_type: EventType::Always("files.changed"),
        // Two equal ones are two changes: they say that there is something new, not what.
        dedupe: Dedupe::Never,
        routing: Routing::Account(&["/list_folder/accounts"]),
        lifetime: Lifetime::Endless,
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::None,
};
