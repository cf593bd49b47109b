//! Shell completions and manual pages, from the same description as `--help`.

use std::{io, path::PathBuf};

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

const COMPLETIONS: &str = "Examples:
  source <(keyway completions bash)
  keyway completions zsh > ~/.zfunc/_keyway";

#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

const MAN: &str = "Examples:
  keyway man | man -l -
  keyway man --out ~/.local/share/man/man1";

#[derive(Debug, Args)]
#[command(after_help = MAN)]
pub(crate) struct ManArgs {
    /// Folder for the pages of all commands
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Keyway::command(), "keyway", &mut script);
    io::Write::write_all(&mut io::stdout(), &script)?;
    Ok(())
}

pub(crate) fn man(args: &ManArgs) -> anyhow::Result<()> {
    let command = crate::Keyway::command();
    match &args.out {
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command, folder))
            .with_context(|| format!("cannot write manual pages into {}; is it writable?", folder.display())),
        None => Ok(clap_mangen::Man::new(command).render(&mut io::stdout())?),
    }
}
