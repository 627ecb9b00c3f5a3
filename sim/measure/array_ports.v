    .i__payload(word[0 +: ${i_width}]), .load__payload(word[${i_width} +: ${load_width}]),
    .i__valid(i_valid && word[${i_width} + ${load_width}]), .load__valid(i_valid && word[${i_width} + ${load_width} + 1]),
    .s__payload(${s_width}'b0),
