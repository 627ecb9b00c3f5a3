    .i__valid(i_valid), .i__ready(i_ready), .i__payload(word), .o__ready(1'b1),
