//! The metrics of the process, as the shell reads them from the operating system.

use crate::engine::catalogue::{Metric, Registered};
use crate::engine::fact::ProcessReading;
use crate::engine::trackers::gauges::Board;

/// Shows a reading.
pub(super) fn show(metrics: &Registered, board: &mut Board<'_>, reading: &ProcessReading) {
    let gauges = [
        (Metric::ProcessOpenFds, reading.open_fds),
        (Metric::ProcessMaxFds, reading.max_fds),
        (Metric::ProcessVirtualMemory, reading.virtual_memory_bytes),
        (Metric::ProcessResidentMemory, reading.resident_memory_bytes),
        (Metric::ProcessStartTime, reading.start_time_seconds),
        (Metric::ProcessThreads, reading.threads),
    ];
    for (metric, value) in gauges {
        metrics.set(board, metric, &[], value);
    }
    let cpu = metrics.resolve(board, Metric::ProcessCpu, &[]);
    let counted: f64 = board.store.cells(cpu).map(|cell| board.store.cell(cell)).sum();
    board.add(cpu, (reading.cpu_seconds - counted).max(0.0));
}
