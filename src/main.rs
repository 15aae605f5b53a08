//! The `signalbox` binary: hands the command line to [`signalbox::cli`].

fn main() -> std::process::ExitCode {
    signalbox::cli::main()
}
