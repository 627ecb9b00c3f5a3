"""The colours of pictures that stand on a white background, and on the HTML page take the page's own."""

PAPER = "paper"  # the name of a picture's background
INK = "#1f2328"  # on white; the HTML page puts its own colour in its place, and takes the white away
