"""Turn the rows of a matrix into columns, as fast as memory allows."""

from cochlea.compilation import Array, compiled


@compiled()
def turn(matrix: Array, turned: Array) -> None:
    """Transpose a matrix.

    Parameters
    ----------
    matrix : ndarray, shape (row, column)
        The matrix.
    turned : ndarray, shape (column, at least as many as rows)
        The result; columns beyond the number of rows are left as they are.
    """
    # Eight rows at a time: eight neighboring numbers are written together.
    n_rows, n_columns = matrix.shape
    whole = n_rows // 8 * 8
    for i in range(0, whole, 8):
        a, b, c, d = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
        e, f, g, h = matrix[i + 4], matrix[i + 5], matrix[i + 6], matrix[i + 7]
        for j in range(n_columns):
            to = turned[j, i : i + 8]
            to[0], to[1], to[2], to[3], to[4], to[5], to[6], to[7] = a[j], b[j], c[j], d[j], e[j], f[j], g[j], h[j]
    for i in range(whole, n_rows):
        for j in range(n_columns):
            turned[j, i] = matrix[i, j]
