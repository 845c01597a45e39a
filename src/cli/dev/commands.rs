//! What `dev` prints: where everything is, and commands to paste.

use std::{net::SocketAddr, path::Path};

use super::demo::Demo;

pub(super) struct Addresses {
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) metrics: SocketAddr,
    pub(super) sandbox: SocketAddr,
}

/// Each command stands alone, so that any of them works when pasted by itself.
pub(super) fn welcome(at: &Addresses, demo: &Demo, data_dir: &Path) -> String {
    let Addresses { grpc, http, metrics, sandbox } = at;
    let Demo { tenant_id, admin_key, webhook_endpoint_id, webhook_path, webhook_secret } = demo;
    let data_dir = data_dir.display();
    format!(
        r#"stellwerk runs.

  gRPC, grpc-web   http://{grpc}
  HTTP adapter     http://{http}   (/healthz, /readyz)
  metrics          http://{metrics}/metrics
  booking tool     http://{sandbox}/   (its double; shows what it can do)
  data             {data_dir}   (secrets of the demo in demo.json)

  tenant           {tenant_id}
  admin key        {admin_key}
  webhook address  http://{http}{webhook_path}
  its id           {webhook_endpoint_id}

A patient registers, by a signed webhook (repeat it: the same patient is updated):

  body='{{"id":"evt_'$(date +%s)'","event":"patient.created","data":{{"id":"p-1","vorname":"Erika","nachname":"Muster","email":"erika@example.org"}}}}'; \
  curl -sS http://{http}{webhook_path} -H 'content-type: application/json' \
    -H "x-webhook-signature: sha256=$(printf %s "$body" | openssl dgst -sha256 -hmac '{webhook_secret}' -r | cut -d' ' -f1)" -d "$body"

The desk sees the patient, by buf curl or grpcurl:

  clients/node_modules/.bin/buf curl --protocol grpc --http2-prior-knowledge -H 'authorization: Bearer {admin_key}' \
    -d '{{"page_size": 5}}' http://{grpc}/stellwerk.v1.PatientService/ListPatients

  grpcurl -plaintext -H 'authorization: Bearer {admin_key}' -d '{{"page_size": 5}}' {grpc} stellwerk.v1.PatientService/ListPatients

The booking tool invents a registration or a booking:

  curl -sS -X POST http://{sandbox}/tick

Ctrl-C stops everything, PostgreSQL too.
"#
    )
}
