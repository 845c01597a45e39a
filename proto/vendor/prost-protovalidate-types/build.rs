//! Compiles validate.proto with protox (pure Rust) instead of a `protoc` binary.

use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 1] = ["buf/validate/validate.proto"];
const INCLUDES: [&str; 1] = ["proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto/buf/validate/validate.proto");
    let mut compiler = protox::Compiler::new(INCLUDES)?;
    compiler.include_imports(true).open_files(FILES)?;
    let path = PathBuf::from(env::var("OUT_DIR")?).join("file_descriptor_set.bin");
    fs::write(&path, compiler.encode_file_descriptor_set())?;

    let mut config = prost_build::Config::new();
    config.file_descriptor_set_path(&path).skip_protoc_run();
    #[cfg(feature = "reflect")]
    prost_reflect_build::Builder::new()
        .file_descriptor_set_path(&path)
        .descriptor_pool("DESCRIPTOR_POOL")
        .compile_protos_with_config(config, &FILES, &INCLUDES)?;
    #[cfg(not(feature = "reflect"))]
    config.compile_protos(&FILES, &INCLUDES)?;
    Ok(())
}
