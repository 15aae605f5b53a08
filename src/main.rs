//! The `signalbox` binary: hands the command line to [`signalbox::cli`].

/// The size from which on the allocator asks the system for memory of its own.
const LARGE_BYTES: usize = 16 << 20;

fn main() -> std::process::ExitCode {
    keep_freed_memory();
    signalbox::cli::main()
}

/// Has the allocator keep what evaluations free for the next one. glibc takes the largest block it ever gave back to
/// the system for its threshold, and trims its heap at twice that; at its defaults every evaluation of a rule hands
/// its vectors back and faults them in again, which was half of its time. The block itself is never touched.
fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE_BYTES)));
}
