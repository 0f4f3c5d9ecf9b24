/// The settings that make up one struct of values, such as all about tasks: a row for each, with the struct's own
/// defaults.
public struct SettingsTable<Values: Sendable>: Sendable {
    private let defaults: Values
    private let rows: [SettingRow<Values>]
    private let finish: @Sendable (inout Values) throws(SettingsError) -> Void

    /// - Parameters:
    ///   - defaults: what counts where nothing is set.
    ///   - rows: one for each setting, in the order of `--help`.
    ///   - finish: adjusts, or refuses, what only several settings together say.
    public init(
        _ defaults: Values, _ rows: [SettingRow<Values>],
        finish: @escaping @Sendable (inout Values) throws(SettingsError) -> Void = { _ throws(SettingsError) in }
    ) {
        self.defaults = defaults
        self.rows = rows
        self.finish = finish
    }

    /// For ``ServiceCommand``, which has flags and help for them.
    public var settings: [Setting] { rows.map { $0.setting(defaults) } }

    /// What the operator has set, and the defaults of the rest.
    ///
    /// - Throws: ``SettingsError`` for the first setting that is missing or wrong.
    public func read(_ reader: SettingsReader) throws(SettingsError) -> Values {
        var values = defaults
        for row in rows {
            let setting = row.setting(defaults)
            if let text = try reader.text(setting.name) {
                guard row.fill(&values, text) else {
                    throw SettingsError(setting.name, "\(setting.form) is expected")
                }
            } else if setting.defaultText == nil {
                throw SettingsError(setting.name, "is required and not set")
            }
        }
        try finish(&values)
        return values
    }
}
