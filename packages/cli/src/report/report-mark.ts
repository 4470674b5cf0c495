/** Tells a report from other pages: it stands in a page's first KiB. */
export const REPORT_MARK = '<meta name="generator" content="imprint eval">';
