/// The codes by which stock says that flash products are another matter.
public enum FlashProblem {
    /// Some of the items are flash products: those go by mode `mt`, and only those.
    public static let flashItems = "flash-items"
    /// One of the items is no flash product, and so does not go by mode `mt`.
    public static let noFlashItem = "no-flash-item"
    /// What counts the stock of flash products is away, or begins anew: nothing was taken.
    public static let unavailable = "stock-unavailable"
}
