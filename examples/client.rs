//! Another Rust backend calls stellwerk. Run it with `cargo run --example client`.

use stellwerk_proto::{ListPatientsRequest, patient_service_client::PatientServiceClient};
use tonic::{Request, metadata::MetadataValue, transport::Endpoint};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, token) = (std::env::var("STELLWERK_URL")?, std::env::var("STELLWERK_TOKEN")?);
    let bearer: MetadataValue<_> = format!("Bearer {token}").parse()?;
    let channel = Endpoint::from_shared(url)?.connect().await?;
    let mut patients = PatientServiceClient::with_interceptor(channel, move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", bearer.clone());
        Ok(request)
    });

    let answer = patients.list_patients(ListPatientsRequest { page_size: 50, ..Default::default() }).await?;
    println!("{} patients", answer.into_inner().patients.len());
    Ok(())
}
