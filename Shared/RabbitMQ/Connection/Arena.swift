import CSettleRabbitMQ
import Foundation

/// Memory for the strings and tables of one call into the library; all of it goes when `reset` or the owner does.
///
/// Safe: the pool is allocated and freed here alone. What `bytes` and `table` return points into it, and the callers,
/// all in this folder, use it only until their next `reset`.
@safe
final class Arena {
    private let pool: UnsafeMutablePointer<amqp_pool_t>

    init() {
        unsafe pool = .allocate(capacity: 1)
        unsafe pool.initialize(to: amqp_pool_t())
        unsafe init_amqp_pool(pool, 4096)
    }

    deinit {
        unsafe empty_amqp_pool(pool)
        unsafe pool.deallocate()
    }

    func reset() {
        unsafe recycle_amqp_pool(pool)
    }

    func bytes(_ string: String) -> amqp_bytes_t {
        var string = string
        return string.withUTF8 { utf8 in
            var copy = unsafe amqp_bytes_t()
            guard let source = utf8.baseAddress, !utf8.isEmpty else { return unsafe copy }
            unsafe amqp_pool_alloc_bytes(pool, utf8.count, &copy)
            if let target = unsafe copy.bytes { unsafe memcpy(target, source, utf8.count) } else { unsafe copy.len = 0 }
            return unsafe copy
        }
    }

    func table(_ fields: [String: Topology.Queue.Argument]) -> amqp_table_t {
        var table = unsafe amqp_table_t()
        let size = unsafe fields.count * MemoryLayout<amqp_table_entry_t>.stride
        guard size > 0, let memory = unsafe amqp_pool_alloc(pool, size) else { return unsafe table }
        let entries = unsafe memory.bindMemory(to: amqp_table_entry_t.self, capacity: fields.count)
        for (index, (name, field)) in fields.enumerated() {
            var entry = unsafe amqp_table_entry_t()
            unsafe entry.key = bytes(name)
            switch field {
            case .text(let text):
                unsafe entry.value.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
                unsafe entry.value.value.bytes = bytes(text)
            case .int(let number):
                unsafe entry.value.kind = UInt8(AMQP_FIELD_KIND_I64.rawValue)
                unsafe entry.value.value.i64 = number
            case .bool(let flag):
                unsafe entry.value.kind = UInt8(AMQP_FIELD_KIND_BOOLEAN.rawValue)
                unsafe entry.value.value.boolean = flag ? 1 : 0
            }
            unsafe (entries + index).initialize(to: entry)
        }
        unsafe table.num_entries = Int32(fields.count)
        unsafe table.entries = entries
        return unsafe table
    }
}
