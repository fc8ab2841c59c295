package report

import "io"

func Text(w io.Writer, r *Report) error     { return nil }
func Markdown(w io.Writer, r *Report) error { return nil }
func SVG(w io.Writer, r *Report) error      { return nil }
