import Foundation

/// How the system schedules the process's threads beside those of others: sched(7).
enum Scheduling: String, Sendable, CaseIterable {
    /// `SCHED_BATCH`: a thread that has something to do again waits until a processor is free, and interrupts nobody.
    ///
    /// Where processors are short, what waits meanwhile is done in larger batches, with fewer changes from one thread to the
    /// other; where they are not, it is no difference.
    case batch
    /// As whoever starts the process has it.
    case normal

    /// `SCHED_BATCH` of sched.h, which shows it to C only.
    static let batchPolicy: Int32 = 3

    /// Sees to all threads that there are; those to come inherit it. To be called while there are few.
    ///
    /// What is not the usual policy, somebody has chosen: that stays.
    ///
    /// - Returns: false when the system does not allow it.
    func apply() -> Bool {
        #if os(Linux)
            guard self == .batch, sched_getscheduler(0) == SCHED_OTHER else { return true }
            // Who may not look for them cannot see to them: that is for the caller to say.
            guard let threads = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task") else {
                return false
            }
            // Only of its own; one that has just ended is none.
            return threads.compactMap { pid_t($0) }.allSatisfy { thread in
                var parameters = sched_param(sched_priority: 0)
                // The call reads the value and keeps no pointer to it.
                return unsafe sched_setscheduler(thread, Self.batchPolicy, &parameters) == 0 || errno == ESRCH
            }
        #else
            return true
        #endif
    }
}
