/// A setting and the field of `Values` that it fills: the one place where it is written down.
public struct SettingRow<Values: Sendable>: Sendable {
    /// A field of the values.
    public typealias Field<Value> = any WritableKeyPath<Values, Value> & Sendable

    /// As an operator sees it; the default is what the field holds.
    let setting: @Sendable (_ defaults: Values) -> Setting
    /// Fills the field; false for a text that is not as expected.
    let fill: @Sendable (_ values: inout Values, _ text: String) -> Bool

    /// A row of any kind; those below are for the usual ones.
    ///
    /// - Parameters:
    ///   - name: of the flag, without its dashes; the variable's follows from it.
    ///   - field: what is filled.
    ///   - meaning: for `--help`, in one sentence.
    ///   - form: what may stand there, for `--help` and the error: `a whole number from 1 to 5`.
    ///   - isEnvironmentOnly: true for secrets: every account of a machine can read the command lines of all its
    ///     processes.
    ///   - defaultText: of what the field holds when nothing is set; nil makes the setting a required one.
    ///   - parse: nil for a text that is not as expected.
    public init<Value: Sendable>(
        _ name: String, _ field: Field<Value>, _ meaning: String, form: String,
        isEnvironmentOnly: Bool = false, defaultText: @escaping @Sendable (Value) -> String?,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        setting = { defaults in
            Setting(
                name: name, meaning: meaning, form: form, defaultText: defaultText(defaults[keyPath: field]),
                isEnvironmentOnly: isEnvironmentOnly)
        }
        fill = { values, text in
            guard let value = parse(text) else { return false }
            values[keyPath: field] = value
            return true
        }
    }

    private init(
        setting: @escaping @Sendable (Values) -> Setting, fill: @escaping @Sendable (inout Values, String) -> Bool
    ) {
        self.setting = setting
        self.fill = fill
    }

    /// The same setting for values that hold these ones.
    func lifted<Outer: Sendable>(
        to field: any WritableKeyPath<Outer, Values> & Sendable
    ) -> SettingRow<Outer> {
        SettingRow<Outer>(
            setting: { [setting] in setting($0[keyPath: field]) },
            fill: { [fill] in fill(&$0[keyPath: field], $1) })
    }
}

extension SettingRow {
    /// Any text. A field that is empty by default must be set, unless `whenUnset` says what that means.
    public static func text(
        _ name: String, _ field: Field<String>, form: String,
        whenUnset: String? = nil, isEnvironmentOnly: Bool = false, _ meaning: String
    ) -> SettingRow {
        SettingRow(
            name, field, meaning, form: form, isEnvironmentOnly: isEnvironmentOnly,
            defaultText: { $0.isEmpty ? whenUnset : $0 }, parse: { $0 })
    }

    /// A whole number in decimal digits, without a plus sign.
    public static func integer(
        _ name: String, _ field: Field<Int>, in range: ClosedRange<Int>,
        _ meaning: String
    ) -> SettingRow {
        SettingRow(
            name, field, meaning, form: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            defaultText: { "\($0)" },
            parse: { text in text.hasPrefix("+") ? nil : Int(text).flatMap { range.contains($0) ? $0 : nil } })
    }

    /// A whole number with its unit: `250ms`, `5s`, `10m` or `1h`.
    public static func duration(
        _ name: String, _ field: Field<Duration>, in range: ClosedRange<Duration>,
        _ meaning: String
    ) -> SettingRow {
        SettingRow(
            name, field, meaning, form: DurationText.form(range), defaultText: { DurationText.format($0) },
            parse: { DurationText.parse($0, in: range) })
    }

    /// The same for what is nil when nobody sets it: `whenUnset` says what that means.
    public static func duration(
        _ name: String, _ field: Field<Duration?>, in range: ClosedRange<Duration>,
        whenUnset: String, _ meaning: String
    ) -> SettingRow {
        SettingRow(
            name, field, meaning, form: DurationText.form(range),
            defaultText: { $0.map(DurationText.format) ?? whenUnset },
            parse: { DurationText.parse($0, in: range).map(Optional.some) })
    }

    /// One of a few words, written just so.
    public static func choice<Value: Sendable & Equatable>(
        _ name: String, _ field: Field<Value>, _ choices: [(word: String, Value)],
        _ meaning: String
    ) -> SettingRow {
        SettingRow(
            name, field, meaning, form: choices.map(\.word).joined(separator: " or "),
            defaultText: { value in choices.first { $0.1 == value }?.word },
            parse: { text in choices.first { $0.word == text }?.1 })
    }

    /// The address of a service. A field that is nil by default must be set.
    public static func url(
        _ name: String, _ field: Field<BaseURL?>, _ meaning: String
    ) -> SettingRow {
        SettingRow(
            name, field, meaning,
            form: "an http:// or https:// URL with a host, perhaps a port up to 65535 and a path, and nothing else",
            defaultText: { $0?.description }, parse: { BaseURL($0).map(Optional.some) })
    }
}
