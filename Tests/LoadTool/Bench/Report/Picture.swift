/// An SVG picture out of a few shapes; lengths in pixels, from the upper left.
struct Picture {
    enum Anchor: String { case start, middle, end }

    static let colours = ["#1b6ca8", "#d1495b", "#2e933c", "#8e5ea2", "#e8a33d", "#5c7c8a", "#9c6644", "#999999"]

    let width: Double
    let height: Double
    private var shapes: [String] = []

    init(width: Double, height: Double) { (self.width, self.height) = (width, height) }

    mutating func text(_ text: String, x: Double, y: Double, _ anchor: Anchor = .start, size: Double = 12) {
        let escaped = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        shapes.append(
            #"<text x="\#(x.pixel)" y="\#(y.pixel)" text-anchor="\#(anchor)" font-size="\#(size.pixel)">\#(escaped)</text>"#
        )
    }

    mutating func bar(x: Double, y: Double, width: Double, height: Double, colour: String) {
        shapes.append(
            #"<rect x="\#(x.pixel)" y="\#(y.pixel)" width="\#(width.pixel)" height="\#(height.pixel)" fill="\#(colour)"/>"#
        )
    }

    mutating func line(_ points: [(x: Double, y: Double)], colour: String, width: Double = 2) {
        let list = points.map { "\($0.x.pixel),\($0.y.pixel)" }.joined(separator: " ")
        shapes.append(
            #"<polyline points="\#(list)" fill="none" stroke="\#(colour)" stroke-width="\#(width.pixel)"/>"#)
    }

    var svg: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" width="\(width.pixel)" height="\(height.pixel)" font-family="sans-serif">
        <rect width="100%" height="100%" fill="white"/>
        \(shapes.joined(separator: "\n"))
        </svg>

        """
    }
}

extension Double {
    /// To a tenth: more is not seen.
    fileprivate var pixel: String {
        let tenths = Int((self * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(Double(tenths) / 10)"
    }
}
