//! OptimusDB, the program: flags → telemetry → node → HTTP API and gateway, until it is asked to stop.
//!
//! This room knows HTTP, the command line and the process; documents, stores and the disk are in
//! `optimusdb-db`. With a command it asks a running node instead. Exit codes: 0 stopped as asked, 1
//! could not start or failed, 2 wrong usage.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

mod allocator;
mod cli;
mod command_line;
mod door;
mod free_space;
mod gateway;
mod host_name;
mod http;
mod limits;
mod open_files;
mod port;
mod run;
mod settings;
mod signals;
mod suggest;
mod telemetry;
mod version;
mod web_origin;

use command_line::Invocation;

const FAILURE: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let started = Instant::now();
    allocator::set_up();
    let arguments = std::env::args_os().skip(1);
    let settings = match command_line::read(arguments, &|name| std::env::var_os(name)) {
        Ok(Invocation::Help) => return answer(&command_line::help()),
        Ok(Invocation::Version) => return answer(&format!("{}\n", version::line())),
        Ok(Invocation::Ask(command, api)) => {
            return match cli::run(&command, &api) {
                Ok(text) => answer(&text),
                Err(why) => refuse(FAILURE, &why),
            };
        }
        Ok(Invocation::Run(settings)) => *settings,
        Err(error) => return refuse(USAGE, &format!("{error} (optimusdb -help lists the flags)")),
    };
    let journal = telemetry::start(&settings.log_filter, settings.log_readable);
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    if let Some(strangers) = settings::strangers::named(variables) {
        tracing::warn!("{strangers}");
    }
    match run::run(settings, journal, started) {
        run::Ending::Stopped => ExitCode::SUCCESS,
        run::Ending::NotStarted(why) => refuse(FAILURE, &why),
        run::Ending::Failed => ExitCode::from(FAILURE),
    }
}

/// What was asked for goes to standard output; a reader that left early is no failure.
fn answer(text: &str) -> ExitCode {
    let _closed = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// One line on standard error, whatever the reason holds.
fn refuse(code: u8, why: &str) -> ExitCode {
    let why: String =
        why.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let _closed = writeln!(std::io::stderr(), "optimusdb: {why}");
    ExitCode::from(code)
}
